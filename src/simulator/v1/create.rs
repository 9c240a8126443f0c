//! Creating v1 batches: checks the body as the real service's schema does, then submits.

use serde_json::{Map, Value};

use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::options::UnknownItems;
use crate::simulator::v1::{json, record};
use crate::simulator::world::cause::{Failure, ScriptedCause};
use crate::simulator::world::model::{BatchOrigin, Item, Submission};

/// `POST /api/v1/beta/batch-processing`
pub(crate) fn create(service: &mut SimulatedService<'_>, body: &Value) -> Result<Reply, Reply> {
    let fields = body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not an object"))?;
    let config = fields.get("job_config").ok_or_else(|| missing("job_config"))?;
    let job_type = record::check(config)?;
    check_size(fields)?;
    service.check_solvent()?;
    let (origin, directory, items) = match (text_list(fields, "item_ids")?, text(fields, "directory_id")?) {
        (Some(ids), _) => (BatchOrigin::ItemList, None, find_items(service, &ids)?),
        (None, Some(id)) => {
            let directory = service.own_directory(id)?;
            let items = service.world.present_items(directory);
            (BatchOrigin::Directory, Some(directory), items)
        }
        (None, None) => {
            return Err(Reply::invalid(&["body"], "item_ids and directory_id are both absent"));
        }
    };
    let submission =
        Submission { job_type, directory, origin, ..Submission::of_items(service.project, items, config.clone()) };
    let index = service.world.submit(submission);
    let batch = &service.world.batches[index];
    let id = batch.id.clone();
    Ok(Reply::created(json::batch(service.world, batch, service.options), id))
}

fn check_size(fields: &Map<String, Value>) -> Result<(), Reply> {
    match fields.get("page_size") {
        None => Ok(()),
        Some(size) if size.as_u64().is_some_and(|size| (1..=1000).contains(&size)) => Ok(()),
        Some(_) => Err(Reply::invalid(&["body", "page_size"], "not within 1 and 1000")),
    }
}

fn find_items(service: &mut SimulatedService<'_>, ids: &[&str]) -> Result<Vec<usize>, Reply> {
    if ids.is_empty() || ids.len() > service.options.most_item_ids {
        return Err(Reply::invalid(&["body", "item_ids"], "too few or too many entries"));
    }
    ids.iter().map(|id| find_item(service, id)).collect()
}

fn find_item(service: &mut SimulatedService<'_>, id: &str) -> Result<usize, Reply> {
    let found = service.world.item_index.get(id).copied();
    let foreign = found.is_some_and(|index| service.world.items[index].project != service.project);
    if let Some(index) = found.filter(|&index| !foreign && !service.world.items[index].deleted) {
        return Ok(index);
    }
    match service.options.unknown_items {
        UnknownItems::Fail if !foreign => Ok(add_ghost(service, id, found)),
        UnknownItems::Refused(422) => Err(Reply::invalid(&["body", "item_ids"], &format!("no such entry: {id}"))),
        UnknownItems::Refused(status) => Err(Reply::error(status, &format!("No entry {id} in this project"))),
        UnknownItems::Fail => Err(Reply::error(404, &format!("No entry {id} in this project"))),
    }
}

/// An item that exists only as a name: it can be put into a batch, and fails there.
fn add_ghost(service: &mut SimulatedService<'_>, id: &str, found: Option<usize>) -> usize {
    let cause = ScriptedCause::Permanent(Failure::text("the entry points at a file that is no longer there"));
    if let Some(index) = found {
        service.world.items[index].cause = cause;
        return index;
    }
    let directory = service.project;
    service.world.add_item(Item {
        id: id.to_owned(),
        name: id.to_owned(),
        project: service.project,
        directory,
        file_id: crate::simulator::world::random::uuid_of(id),
        pages: 0,
        bad_pages: Vec::new(),
        cause,
        attempts: 0,
        first_takes: None,
        results: Vec::new(),
        unwritable: false,
        unlisted: false,
        deleted: true,
    })
}

pub(crate) fn missing(field: &str) -> Reply {
    Reply::invalid(&["body", field], "must be given")
}

/// An optional text of a body; null counts as absent.
pub(crate) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Reply> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Reply::invalid(&["body", name], "not a text")),
    }
}

fn text_list<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, Reply> {
    let wrong = || Reply::invalid(&["body", name], "not a list of texts");
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(entries)) => {
            entries.iter().map(|entry| entry.as_str().ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}
