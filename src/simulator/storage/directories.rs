//! Directories and the entries in them, as the service's own SDKs manage them. Reading entries is in [`crate::simulator::storage::files`].

use serde_json::{Map, Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::PageWindow;
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::storage::files;
use crate::simulator::storage::uploads::{own_file, uploaded_name};
use crate::simulator::v1::create::{missing, text};
use crate::simulator::world::model::Directory;
use crate::simulator::world::state::World;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(
        endpoint,
        E::ListDirectories
            | E::CreateDirectory
            | E::GetDirectory
            | E::UpdateDirectory
            | E::DeleteDirectory
            | E::AddFile
            | E::UploadIntoDirectory
            | E::UpdateFile
            | E::RemoveFile
    )
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    if call.endpoint == Endpoint::ListDirectories {
        return list(service);
    }
    if call.endpoint == Endpoint::CreateDirectory {
        return create(service, fields(body)?);
    }
    let directory = service.own_directory(call.first)?;
    match call.endpoint {
        Endpoint::UpdateDirectory => update(service, directory, fields(body)?),
        Endpoint::DeleteDirectory => Ok(delete(service, directory)),
        Endpoint::AddFile => add(service, directory, fields(body)?),
        Endpoint::UploadIntoDirectory => upload(service, directory, fields(body)?),
        Endpoint::UpdateFile => update_entry(service, directory, call.second, fields(body)?),
        Endpoint::RemoveFile => {
            let item = own_entry(service, directory, call.second)?;
            service.world.items[item].deleted = true;
            Ok(Reply::none())
        }
        _ => Ok(Reply::ok(shown(service.world, directory))),
    }
}

fn fields(body: &Value) -> Result<&Map<String, Value>, Reply> {
    body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not an object"))
}

fn list(service: &SimulatedService<'_>) -> Result<Reply, Reply> {
    let kind = service.query.word("type", |word| ["user", "ephemeral", "index"].into_iter().find(|kind| *kind == word));
    // Every directory of a simulation is a user's own.
    let wanted = kind?.is_none_or(|kind| kind == "user");
    let name = service.query.get("name");
    let directories = service.world.directories.iter().enumerate();
    let listed: Vec<usize> = directories
        .filter(|(_, directory)| wanted && directory.project == service.project && directory.is_listed())
        .filter(|(_, directory)| name.is_none_or(|name| name == directory.name))
        .map(|(index, _)| index)
        .collect();
    let window = PageWindow::by_cursor(service.query, listed.len(), service.paging())?;
    let entries = listed[window.from..window.to].iter().map(|&index| shown(service.world, index));
    Ok(Reply::ok(window.cursor_page(entries.collect(), service.paging())))
}

fn create(service: &mut SimulatedService<'_>, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let name = text(fields, "name")?.ok_or_else(|| missing("name"))?;
    if !matches!(text(fields, "type")?, None | Some("user" | "ephemeral")) {
        return Err(Reply::invalid(&["body", "type"], "neither user nor ephemeral"));
    }
    let description = text(fields, "description")?.map(str::to_owned);
    let world = &mut *service.world;
    let id = format!("dir-{}", world.random.uuid());
    world.directories.push(Directory { description, ..Directory::new(id, service.project, name, world.now) });
    Ok(Reply::ok(shown(world, world.directories.len() - 1)))
}

fn update(service: &mut SimulatedService<'_>, directory: usize, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let (name, description) = (text(fields, "name")?, text(fields, "description")?);
    let record = &mut service.world.directories[directory];
    if let Some(name) = name {
        name.clone_into(&mut record.name);
    }
    if let Some(description) = description {
        record.description = Some(description.to_owned());
    }
    Ok(Reply::ok(shown(service.world, directory)))
}

fn delete(service: &mut SimulatedService<'_>, directory: usize) -> Reply {
    service.world.directories[directory].deleted = true;
    for item in service.world.directories[directory].items.clone() {
        service.world.items[item].deleted = true;
    }
    Reply::none()
}

fn add(service: &mut SimulatedService<'_>, directory: usize, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let file_id = text(fields, "file_id")?.ok_or_else(|| missing("file_id"))?;
    let file = own_file(service, file_id)?;
    let name = text(fields, "display_name")?.map(str::to_owned);
    let name = name.unwrap_or_else(|| service.world.items[file].name.clone());
    let item = service.world.add_entry(directory, &name, file_id.to_owned());
    note(service.world, item, fields);
    Ok(entry(service.world, item))
}

fn upload(service: &mut SimulatedService<'_>, directory: usize, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let name = match (text(fields, "display_name")?, uploaded_name(fields, "upload_file")?) {
        (Some(name), _) => name.to_owned(),
        (None, name) => name,
    };
    let item = service.world.add_upload(service.project, &name, Some(directory));
    note(service.world, item, fields);
    Ok(entry(service.world, item))
}

fn update_entry(
    service: &mut SimulatedService<'_>,
    directory: usize,
    id: &str,
    fields: &Map<String, Value>,
) -> Result<Reply, Reply> {
    let item = own_entry(service, directory, id)?;
    if let Some(name) = text(fields, "display_name")? {
        name.clone_into(&mut service.world.items[item].name);
    }
    if let Some(target) = text(fields, "target_directory_id")? {
        let target = service.own_directory(target)?;
        service.world.directories[directory].items.retain(|other| *other != item);
        service.world.directories[target].items.push(item);
        service.world.items[item].directory = target;
    }
    note(service.world, item, fields);
    Ok(entry(service.world, item))
}

fn own_entry(service: &SimulatedService<'_>, directory: usize, id: &str) -> Result<usize, Reply> {
    let found = service.world.present_items(directory).into_iter().find(|&item| service.world.items[item].id == id);
    found.ok_or_else(|| Reply::error(404, "No such entry in this directory"))
}

/// Keeps what the entry is called and described by elsewhere.
fn note(world: &mut World, item: usize, fields: &Map<String, Value>) {
    let given = ["unique_id", "metadata"].into_iter().filter_map(|name| {
        let value = fields.get(name).filter(|value| !value.is_null())?;
        Some((name.to_owned(), value.clone()))
    });
    world.stored.entries.entry(item).or_default().extend(given);
}

fn entry(world: &World, item: usize) -> Reply {
    let record = &world.items[item];
    Reply::ok(files::file(world, &world.directories[record.directory].id, record))
}

fn shown(world: &World, directory: usize) -> Value {
    let directory = &world.directories[directory];
    json!({
        "id": directory.id,
        "project_id": format!("prj-{}", world.projects[directory.project].id),
        "name": directory.name,
        "description": directory.description,
        "type": "user",
        "created_at": directory.created_at,
        "updated_at": directory.created_at,
        "deleted_at": null,
        "expires_at": null,
    })
}
