//! Plays LlamaCloud on a loopback port, so that `demo` and the tests need no account: a [`World`] with hidden causes behind the HTTP calls of API v1 beta and v2.
//! It keeps its own account of what is true ([`Truth`]) and uses nothing else of the product.

mod account;
mod account_texts;
mod builder;
mod bulk;
mod cause;
mod configurations;
mod corrupt;
mod directories;
mod documents;
mod endpoint;
mod exchange;
mod faults;
mod files;
mod life;
mod life_texts;
mod model;
mod multipart;
mod options;
mod paging;
mod progress;
mod query;
mod random;
mod reply;
mod server;
mod service;
mod stored;
mod submit;
mod template;
mod truth;
mod uploads;
mod v1;
mod v1_create;
mod v1_jobs;
mod v1_json;
mod v2;
mod v2_acts;
mod v2_classify;
mod v2_create;
mod v2_jobs;
mod v2_json;
mod wire;
mod world;

pub use account::{FIRST_PROJECT, SECOND_PROJECT, believable_account};
pub use builder::{
    DEFAULT_KEY, DEFAULT_NOW, WorldBuilder, batch_id, default_config, directory_id, item_id, project_id, v2_batch_id,
};
pub use bulk::{Bulk, large};
pub use cause::{Cause, Circumstances, Failure, Outcome, Step};
pub use endpoint::Endpoint;
pub use faults::{Fault, FaultRule};
pub use model::{Batch, BatchStatus, Counts, Directory, FinishedWork, Item, ItemStatus, JobType, Origin, Project, Run};
pub use options::{Clock, Date, End, Options, Order, Paging, Shift, Token, Total, UnknownItems};
pub use random::Random;
pub use server::SimulatedCloud;
pub use submit::{Break, Submission};
pub use truth::{Post, ShownFailure, Truth};
pub use world::{Outage, Pace, World};

#[cfg(test)]
mod sdk_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod v2_tests;
#[cfg(test)]
mod world_tests;
