//! The files of a directory, which is where an item's name and the file behind it are found.

use serde_json::{Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::PageWindow;
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::world::model::{Item, Submission};
use crate::simulator::world::random::uuid_of;
use crate::simulator::world::state::World;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::ListFiles | Endpoint::GetFile)
}

/// Answers it.
pub(crate) fn answer(service: &SimulatedService<'_>, call: &EndpointCall<'_>) -> Result<Reply, Reply> {
    let world = &*service.world;
    let items = world.present_items(service.own_directory(call.first)?);
    if call.endpoint == Endpoint::GetFile {
        let item = items.iter().map(|&item| &world.items[item]).find(|item| item.id == call.second);
        let item = item.ok_or_else(|| Reply::error(404, "No such entry in this directory"))?;
        return Ok(Reply::ok(file(world, call.first, item)));
    }
    let wanted = |name: &str, value: &str| service.query.get(name).is_none_or(|wanted| wanted == value);
    let items: Vec<usize> = { items }
        .into_iter()
        .filter(|&item| {
            wanted("display_name", &world.items[item].name) && wanted("file_id", &world.items[item].file_id)
        })
        .collect();
    let window = PageWindow::by_cursor(service.query, items.len(), service.paging())?;
    let entries = items[window.from..window.to].iter().map(|&item| file(world, call.first, &world.items[item]));
    Ok(Reply::ok(window.cursor_page(entries.collect(), service.paging())))
}

/// An entry of a directory.
pub(crate) fn file(world: &World, directory_id: &str, item: &Item) -> Value {
    let project = &world.projects[item.project];
    let noted = world.item_index.get(&item.id).and_then(|index| world.stored.entries.get(index));
    let noted = |name: &str| noted.and_then(|notes| notes.get(name)).cloned();
    json!({
        "id": item.id,
        "project_id": format!("prj-{}", project.id),
        "directory_id": directory_id,
        "file_id": item.file_id,
        "display_name": item.name,
        "unique_id": noted("unique_id").unwrap_or_else(|| uuid_of(&item.id).into()),
        "metadata": noted("metadata").unwrap_or_else(|| json!({})),
        "deleted_at": item.deleted.then_some(world.now),
    })
}

impl World {
    /// The items of a directory whose files are there.
    pub(crate) fn present_items(&self, directory: usize) -> Vec<usize> {
        let items = self.directories[directory].items.iter().copied();
        items.filter(|&item| !self.items[item].deleted).collect()
    }

    /// Adds a batch that no one expected, with one item that will fail.
    pub(crate) fn add_surprise(&mut self, project: usize) {
        let id = self.random.uuid();
        let item = Item {
            id: format!("dfl-{id}"),
            name: format!("late-arrival-{}.pdf", self.items.len()),
            project,
            directory: project,
            file_id: uuid_of(&id),
            pages: 1,
            bad_pages: Vec::new(),
            cause: crate::simulator::world::cause::ScriptedCause::Permanent(
                crate::simulator::world::cause::Failure::text("arrived late and could not be read"),
            ),
            attempts: 0,
            first_takes: None,
            results: Vec::new(),
            unwritable: false,
            unlisted: false,
            deleted: false,
        };
        let item = self.add_item(item);
        self.submit(Submission::of_items(project, vec![item], crate::simulator::world::builder::default_config()));
    }
}
