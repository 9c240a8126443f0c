//! The whole edge against the simulated LlamaCloud: what is read is what that world knows to be true,
//! through both APIs, whatever the pages look like and whatever goes wrong on the way.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::config::project::{Api, ProjectConfig};
use crate::llamacloud::Cloud;
use crate::llamacloud::http::client::Transport;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::settings::RetryPace;
use crate::llamacloud::tests::fake::{connect, keep, project};
use crate::model::item::Kind;
use crate::simulator::faults::{FaultRule, InjectedFault};
use crate::simulator::http::endpoint::Endpoint;
use crate::simulator::http::server::SimulatedCloud;
use crate::simulator::options::{EntryOrder, ListEndStyle, Options, TokenStyle, TotalStyle};
use crate::simulator::world::builder::{DEFAULT_KEY, WorldBuilder};
use crate::simulator::world::cause::ScriptedCause;
use crate::simulator::world::model::{JobType, SimulatedItemStatus};
use crate::simulator::world::state::World;

const API_PAGES: [(Api, Endpoint); 2] = [(Api::V1Beta, Endpoint::ListItems), (Api::V2, Endpoint::V2ListParse)];

fn world() -> World {
    let builder = WorldBuilder::new().batch("one").items(70, "good", ScriptedCause::Succeeds);
    let builder = builder.item("a").fails("timeout").item("b").fails("busy").item("c").skipped("size_limit_exceeded");
    let builder = builder.batch("two").items(
        30,
        "bad",
        ScriptedCause::Permanent(crate::simulator::world::cause::Failure::text("broken")),
    );
    builder.batch("three").items(3, "fine", ScriptedCause::Succeeds).build()
}

/// Items of the world in this state, by batch and item.
fn truth(world: &World, status: SimulatedItemStatus) -> BTreeSet<String> {
    let runs = world.batches().iter().flat_map(|batch| &batch.runs);
    runs.filter(|run| run.status == status).map(|run| world.items()[run.item].id.clone()).collect()
}

/// What must be read as failed. API v2 skips nothing: a file that got no job has failed.
fn failures(server: &SimulatedCloud, api: Api) -> BTreeSet<String> {
    let world = server.world();
    let mut failed = truth(&world, SimulatedItemStatus::Failed);
    if api == Api::V2 {
        failed.extend(truth(&world, SimulatedItemStatus::Skipped));
    }
    failed
}

fn cloud(server: &SimulatedCloud, api: Api, page_size: usize) -> Cloud {
    let project = ProjectConfig { api, page_size: page_size.try_into().unwrap(), ..project(&server.url()) };
    let settings = crate::llamacloud::settings::CloudSettings { project, key: DEFAULT_KEY.into() };
    Cloud::connect_at(settings, &Transport::new().unwrap(), RetryPace::hurried()).unwrap()
}

/// Everything of a kind, item by item, and how the listings went.
async fn read(cloud: &Cloud, kind: Kind) -> (BTreeSet<String>, Vec<ListResult>) {
    let mut batches = Vec::new();
    let listed = cloud
        .list_batches(cloud.apis()[0], None, &mut |page| {
            batches.extend(page);
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    let mut all = vec![listed];
    let mut ids = BTreeSet::new();
    for batch in batches {
        let mut page =
            |page: Vec<crate::model::item::Observation>| keep(&mut ids, page.into_iter().map(|row| row.item_id));
        all.push(cloud.list_items(&batch, kind, &mut page).await.unwrap());
    }
    (ids, all)
}

#[tokio::test]
async fn all_failed_items_are_read_whatever_the_pages_look_like() {
    let totals = [
        TotalStyle::Absent,
        TotalStyle::Null,
        TotalStyle::Exact,
        TotalStyle::TooLow,
        TotalStyle::TooHigh,
        TotalStyle::Zero,
    ];
    let tokens = [
        TokenStyle::Absent,
        TokenStyle::Null,
        TokenStyle::Empty,
        TokenStyle::Always("string".into()),
        TokenStyle::WhileMore("x".into()),
    ];
    let orders = [EntryOrder::NewestFirst, EntryOrder::OldestFirst, EntryOrder::Shuffled];
    let ends = [ListEndStyle::Absent, ListEndStyle::Null, ListEndStyle::Empty];
    let server = SimulatedCloud::start(world(), Options::default()).await.unwrap();
    for n in 0..36 {
        server.change_options(|options| {
            options.paging.total = totals[n % 6];
            options.paging.token = tokens[n % 5].clone();
            options.paging.order = orders[n % 3];
            options.paging.end = ends[(n / 3) % 3];
            options.paging.cap = [None, Some(1), Some(7)][(n / 2) % 3];
            options.paging.empty_without_items = n % 2 == 0;
        });
        let (api, _) = API_PAGES[n % 2];
        let (ids, listed) = read(&cloud(&server, api, [1000, 10, 3][(n / 6) % 3]), Kind::Failed).await;
        assert_eq!(ids, failures(&server, api), "{n}");
        assert!(listed.iter().all(|one| one.complete && one.unreadable == 0), "{n}: {listed:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn passing_faults_and_odd_answers_cost_no_item() {
    let server = SimulatedCloud::start(world(), Options::default()).await.unwrap();
    for (api, endpoint) in API_PAGES {
        for fault in [
            InjectedFault::Status(503),
            InjectedFault::StatusRetryAfter(429, "0".into()),
            InjectedFault::Reset,
            InjectedFault::HalfBody,
            InjectedFault::EmptyBody,
            InjectedFault::WrongContentType,
            InjectedFault::InvalidUtf8,
            InjectedFault::UnknownWords,
            InjectedFault::MissingOptional,
            InjectedFault::ControlCharacters,
            InjectedFault::LoneSurrogates,
            InjectedFault::LongMessages(100_000),
            InjectedFault::DeepJson(500),
        ] {
            server.set_faults(vec![FaultRule::new(fault.clone()).on(endpoint).every(2)]);
            let (ids, listed) = read(&cloud(&server, api, 10), Kind::Failed).await;
            assert!(server.fault_hits()[0] > 0, "{api:?} {fault:?} was never met");
            assert_eq!(ids, failures(&server, api), "{api:?} {fault:?}");
            assert!(listed.iter().all(|one| one.complete && one.unreadable == 0), "{api:?} {fault:?} {listed:?}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_malformed_row_is_counted_and_costs_no_other() {
    let server = SimulatedCloud::start(world(), Options::default()).await.unwrap();
    server.set_faults(vec![FaultRule::new(InjectedFault::Malformed(1)).on(Endpoint::ListItems)]);
    let (ids, listed) = read(&cloud(&server, Api::V1Beta, 1000), Kind::Failed).await;
    let unreadable: u64 = listed.iter().map(|one| one.unreadable).sum();
    let failed = truth(&server.world(), SimulatedItemStatus::Failed);
    assert_eq!(ids.len() as u64 + unreadable, failed.len() as u64);
    assert!(ids.len() >= failed.len() - 2);
    server.shutdown().await;
}

#[tokio::test]
async fn skipped_items_are_a_listing_of_their_own() {
    let server = SimulatedCloud::start(world(), Options::default()).await.unwrap();
    let skipped = truth(&server.world(), SimulatedItemStatus::Skipped);
    assert_eq!(read(&cloud(&server, Api::V1Beta, 1000), Kind::Skipped).await.0, skipped);
    server.shutdown().await;
}

#[tokio::test]
async fn a_server_that_is_stuck_on_its_first_page_makes_an_incomplete_listing() {
    let server = SimulatedCloud::start(world(), Options::default()).await.unwrap();
    server.change_options(|options| options.paging.stuck = true);
    let (_, listed) = read(&cloud(&server, Api::V1Beta, 10), Kind::Failed).await;
    let why: Vec<_> = listed.iter().filter_map(|one| one.why_incomplete.as_deref()).collect();
    assert!(why.iter().any(|why| why.contains("repeats the same page")), "{listed:?}");
    assert!(server.world().truth().all_requests() < 40);
    server.shutdown().await;
}

#[tokio::test]
async fn a_v1_that_is_gone_names_the_key_to_change() {
    let server = SimulatedCloud::start(world(), Options { v1_gone: Some(410), ..Options::default() }).await.unwrap();
    let probe = connect(project(&server.url()), RetryPace::hurried()).probe().await;
    assert!(probe.v1_beta.is_err(), "a wrong key or a gone API cannot answer");
    let right = cloud(&server, Api::V1Beta, 10);
    let error = right.list_batches(right.apis()[0], None, &mut |_| ControlFlow::Continue(())).await.unwrap_err();
    assert!(error.is_gone() && error.to_string().contains("set api = \"v2\""), "{error}");
    assert!(right.probe().await.v2.is_ok());
    server.shutdown().await;
}

/// A finished batch of 1,000 files, every twentieth of which has failed.
fn thousand(job_type: JobType) -> World {
    let mut builder = WorldBuilder::new().batch("large").job_type(job_type);
    for n in 0..50 {
        builder =
            builder.items(19, &format!("good-{n}"), ScriptedCause::Succeeds).item(&format!("bad-{n}")).fails("broken");
    }
    builder.build()
}

#[tokio::test]
async fn a_batch_of_1000_files_costs_a_dozen_requests_beside_the_list_and_the_names_whatever_the_pages_hold() {
    let mut others = Vec::new();
    for (job_type, cap, most, wanted) in [
        (JobType::Parse, None, 1000, 3),
        (JobType::Parse, Some(500), 1000, 5),
        (JobType::Parse, Some(200), 1000, 8),
        (JobType::Parse, Some(100), 1000, 12),
        (JobType::Parse, None, 100, 13),
        (JobType::Extract, None, 1000, 4),
        (JobType::Extract, Some(500), 1000, 7),
        (JobType::Extract, Some(200), 1000, 11),
        (JobType::Extract, Some(100), 1000, 15),
        (JobType::Extract, None, 100, 17),
    ] {
        let server = SimulatedCloud::start(thousand(job_type), Options::default()).await.unwrap();
        server.change_options(|options| {
            (options.paging.cap, options.paging.most) = (cap, most);
        });
        let cloud = cloud(&server, Api::V2, 1000);
        let mut rows = Vec::new();
        let mut batches = Vec::new();
        let mut page = |page: Vec<crate::model::batch::Batch>| {
            batches.extend(page);
            ControlFlow::Continue(())
        };
        cloud.list_batches(cloud.apis()[0], None, &mut page).await.unwrap();
        let listed = cloud.list_items(&batches[0], Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
        let named = rows.iter().filter(|row| row.item_name.contains("bad")).count();
        assert_eq!((rows.len(), named, listed.counted.is_some()), (50, 50, true), "{job_type:?} {cap:?} {most}");
        let made = server.world().truth().all_requests();
        if made != wanted {
            others.push(format!("{job_type:?} {cap:?} {most}: {made}"));
        }
        server.shutdown().await;
    }
    assert_eq!(others, Vec::<String>::new());
}
