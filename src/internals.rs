//! Internals for the integration tests, the benchmarks and the fuzz targets. Not an API: anything may change.

/// Of `classify`.
pub mod classify {
    pub use crate::classify::model::weights::{CLASSES, COLUMNS, Model, Probabilities};
    pub use crate::classify::model::wordings::{Wording, fingerprint, read_wordings};
    pub use crate::classify::model::words::{BITS, MaskedText};
    pub use crate::classify::rules::costs::cheapest;
    pub use crate::classify::rules::decide::{Decision, FailureFacts, Layer, Rules};
}

/// Of `cli`.
pub mod cli {
    pub use crate::cli::Cli;
}

/// Of `commands`.
pub mod commands {
    pub use crate::commands::notify::channel::first_try;
    pub use crate::commands::report::args::ReportArgs;
    pub use crate::commands::report::outcome::ReportOutcome;
    pub use crate::commands::report::terminal::Terminal;
    pub use crate::commands::report::{Surroundings, run};
}

/// Of `config`.
pub mod config {
    pub use crate::config::Config;
    pub use crate::config::channel::{ChannelConfig, ChannelKind, OauthConfig, SmtpAuth, SmtpTls};
    pub use crate::config::project::{Api, ProjectConfig};
    pub use crate::config::reprocess::{Mode, ReprocessConfig};
    /// Of `config::load`.
    pub mod load {
        pub use crate::config::load::{parse, read};
    }
}

/// Of `credentials`.
pub mod credentials {
    pub use crate::credentials::Credentials;
}

/// Of `grouping`.
pub mod grouping {
    pub use crate::grouping::grouper::{Grouper, Subject};
}

/// Of `ledger`.
pub mod ledger {
    pub use crate::ledger::Ledger;
    pub use crate::ledger::open::writer;
    pub use rusqlite::Transaction;
    /// Of `ledger::check`.
    pub mod check {
        pub use crate::ledger::check::check;
    }
    /// Of `ledger::open`.
    pub mod open {
        pub use crate::ledger::open::{reader, writer};
    }
}

/// Of `llamacloud`.
pub mod llamacloud {
    #[cfg(fuzzing)]
    pub use crate::llamacloud::fuzz::{pages, records};
    pub use crate::llamacloud::http::client::Transport;
    pub use crate::llamacloud::resubmit::Resubmission;
    pub use crate::llamacloud::settings::{CloudSettings, RetryPace};
    pub use crate::llamacloud::{Cloud, decode_items};
}

/// Of `model`.
pub mod model {
    pub use crate::model::batch_api::BatchApi;
    pub use crate::model::class::Class;
    pub use crate::model::id::{ulid_of_uuid, uuid_of_ulid};
    pub use crate::model::item::{ItemState, Kind, Observation};
    pub use crate::model::redact::mask_secrets;
    pub use crate::model::text::is_steering;
}

/// Of `notify`.
pub mod notify {
    pub use crate::notify::Channel;
    pub use crate::notify::delivery::ChannelSecrets;
    /// Of `notify::store_delivery`.
    pub mod store_delivery {
        pub use crate::notify::store_delivery::next_content;
    }
    /// Of `notify::render::text`.
    pub mod text {
        pub use crate::notify::render::text::render;
    }
}

/// Of `reprocess`.
pub mod reprocess {
    pub use crate::reprocess::Summary;
    pub use crate::reprocess::plans::draft::Request;
    pub use crate::reprocess::plans::execute::cancel_plan;
    pub use crate::reprocess::policy::belief::{Try, TryResult};
    pub use crate::reprocess::policy::budget::Spent;
    pub use crate::reprocess::policy::group::GroupFacts;
    pub use crate::reprocess::policy::hold::{Account, EndedTry, hold};
    pub use crate::reprocess::policy::item::{Item, Tried};
    pub use crate::reprocess::policy::plan::plan as choose;
    pub use crate::reprocess::policy::plan::{Facts, Selection};
    pub use crate::reprocess::protocol::intent::IntentState;
    pub use crate::reprocess::protocol::intent::{Refusal, meaning};
    pub use crate::reprocess::protocol::job_config::JobConfig;
    pub use crate::reprocess::store::items::{Which, items};
    /// All of `reprocess::store::intent`.
    pub mod intent {
        pub use crate::reprocess::store::intent::*;
    }
    /// All of `reprocess::store::plan`.
    pub mod plan {
        pub use crate::reprocess::store::plan::*;
    }
}

/// Of `scan`.
pub mod scan {
    pub use crate::grouping::group_change::GroupChange;
    pub use crate::model::classified::Classified;
    pub use crate::scan::causes::CauseSummary;
    pub use crate::scan::source::Watched;
    pub use crate::scan::store::ingest::ingest;
    pub use crate::scan::store::ingest_record::{IngestWork, ListingContext, Sighting};
    pub use crate::scan::summary::ScanSummary;
    pub use crate::scan::{restore_grouper, scan};
    /// Of `scan::causes`.
    pub mod causes {
        pub use crate::scan::causes::{CauseMemory, ask};
    }
}

/// Of `service`.
pub mod service {
    pub use crate::service::cycle::CycleOutcome;
    #[cfg(fuzzing)]
    pub use crate::service::http::webhook::fuzz;
    pub use crate::service::setup::Setup;
    pub use crate::service::store_clock_skew::Right;
    pub use crate::service::worker::Worker;
    /// Of `service::store_clock_skew`.
    pub mod store_clock_skew {
        pub use crate::service::store_clock_skew::set_right;
    }
}

/// Of `simulator`.
pub mod simulator {
    pub use crate::simulator::faults::{FaultRule, InjectedFault};
    pub use crate::simulator::http::endpoint::Endpoint;
    pub use crate::simulator::http::server::SimulatedCloud;
    pub use crate::simulator::options::{ClockMode, Date, EntryOrder, Options, PagingOptions, TokenStyle, TotalStyle};
    pub use crate::simulator::status_page::SimulatedStatusPage;
    pub use crate::simulator::world::account::believable_account;
    pub use crate::simulator::world::builder::{
        DEFAULT_NOW, WorldBuilder, batch_id, default_config, item_id, project_id, v2_batch_id,
    };
    pub use crate::simulator::world::bulk::Bulk;
    pub use crate::simulator::world::cause::{Failure, ScriptedCause};
    pub use crate::simulator::world::model::{
        BatchOrigin, Item, ItemRun, JobType, SimulatedBatchStatus, SimulatedItemStatus,
    };
    pub use crate::simulator::world::model::{Break, Submission};
    pub use crate::simulator::world::random::Random;
    pub use crate::simulator::world::state::{BatchPace, Outage, World};
    pub use crate::simulator::world::truth::{Post, ShownFailure};
}

/// Of `triage`.
pub mod triage {
    pub use crate::triage::digest::channel_filter::Only;
    pub use crate::triage::settings::TriageRequest;
    pub use crate::triage::settings::{Route, TriageSettings};
    pub use crate::triage::store::digest::deserialize;
    pub use crate::triage::triage;
    pub use crate::triage::triage_in;
    /// Of `triage::store::digest`.
    pub mod digest {
        pub use crate::triage::store::digest::deserialize;
    }
}
