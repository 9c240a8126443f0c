//! The places where a fault can hit a cycle, and an account for each in which a cycle comes by there.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Endpoint, FaultRule, World, WorldBuilder, batch_id, project_id};

use super::api_faults::ApiFault;

/// What a scan asks for when the fault hits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The list of batches.
    BatchList,
    /// Its second page.
    BatchListPage2,
    /// The failed items of a batch.
    FailedItems,
    /// Their second page.
    FailedItemsPage2,
    /// The skipped items of a batch.
    SkippedItems,
    /// One batch, asked for because it left the look-back window unfinished.
    SingleBatch,
    /// All items of a newer batch, asked for because some of them may have completed what was open.
    Recovery,
}

impl Stage {
    pub(crate) const ALL: [Stage; 7] = [
        Stage::BatchList,
        Stage::BatchListPage2,
        Stage::FailedItems,
        Stage::FailedItemsPage2,
        Stage::SkippedItems,
        Stage::SingleBatch,
        Stage::Recovery,
    ];

    /// The heading of its column.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Stage::BatchList => "batch list",
            Stage::BatchListPage2 => "its 2nd page",
            Stage::FailedItems => "failed items",
            Stage::FailedItemsPage2 => "their 2nd page",
            Stage::SkippedItems => "skipped items",
            Stage::SingleBatch => "single batch",
            Stage::Recovery => "recovery",
        }
    }

    /// The fault, planted at this place of its own project.
    pub(crate) fn plant(self, trouble: &ApiFault) -> FaultRule {
        let project = format!("project_id={}", project_id(&trouble.project()));
        let rule = FaultRule::new(trouble.fault.clone()).containing(&project);
        let of_batch = |what| format!("/{}/items", batch_id(&format!("{}-{what}", trouble.project())));
        let items = |what| rule.clone().on(Endpoint::ListItems).containing(&of_batch(what));
        match self {
            Stage::BatchList => rule.on(Endpoint::ListBatches),
            Stage::BatchListPage2 => rule.on(Endpoint::ListBatches).containing("offset=2"),
            Stage::FailedItems => items("new-1").containing("status=failed"),
            Stage::FailedItemsPage2 => items("new-1").containing("status=failed").containing("offset=2"),
            Stage::SkippedItems => items("new-1").containing("status=skipped"),
            Stage::SingleBatch => rule.on(Endpoint::GetBatch),
            Stage::Recovery => items("again").without("status="),
        }
    }

    /// How far a cycle looks back once the first one has seen everything.
    pub(crate) fn look_back(self) -> &'static str {
        if self == Stage::SingleBatch { "6h" } else { "7d" }
    }

    /// Rows in a page: few where a second page is wanted, and where a page must end before the batch that is asked for alone.
    pub(crate) fn page_size(self) -> usize {
        match self {
            Stage::BatchListPage2 | Stage::FailedItemsPage2 => 2,
            Stage::SingleBatch => 12,
            _ => 1000,
        }
    }

    /// A project for each fault: some failures now, and more within the hour.
    pub(crate) fn world(self, api_faults: &[ApiFault], now: Timestamp) -> World {
        let mut world = WorldBuilder::at(now);
        for trouble in api_faults {
            let project = trouble.project();
            world = self.add(world.project(&project, &format!("llx-{project}-0000")), &project);
        }
        world.build()
    }

    fn add(self, mut world: WorldBuilder, project: &str) -> WorldBuilder {
        let name = |what: &str| format!("{project}-{what}");
        let (minutes, hours) = (SignedDuration::from_mins, SignedDuration::from_hours);
        if self == Stage::SingleBatch {
            let late = hours(20) + minutes(30);
            world = world.batch(&name("long")).made_ago(hours(20)).item(&name("late")).fails("too late").takes(late);
            for number in 0..12 {
                let made = hours(15) - minutes(number);
                world = world.batch(&name(&format!("quiet-{number}"))).made_ago(made);
                world = world.item(&name(&format!("fine-{number}")));
            }
        }
        world = world.batch(&name("old")).item(&name("flaky")).fails_until(2, "the backend went away");
        world = world.item(&name("odd")).skipped("unsupported_type").item(&name("fine"));
        world = world.batch(&name("new-1")).made_ago(minutes(-20));
        for number in 0..3 {
            world = world.item(&name(&format!("failed-{number}"))).fails("page 3 could not be read");
            world = world.item(&name(&format!("skipped-{number}"))).skipped("unsupported_type");
        }
        world = world.batch(&name("new-2")).made_ago(minutes(-25)).item(&name("more")).fails_silently();
        world = world.batch(&name("new-3")).made_ago(minutes(-30)).item(&name("last")).skipped("too_large");
        if self == Stage::Recovery {
            world = world.batch(&name("again")).made_ago(minutes(-35)).again(&name("flaky"));
        }
        world
    }
}
