//! Files as such, whatever directory they lie in: uploaded, listed, looked up, deleted; and the projects that own them.

use serde_json::{Map, Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::PageWindow;
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::v1::create::{missing, text};
use crate::simulator::world::cause::ScriptedCause;
use crate::simulator::world::model::{Directory, Item};
use crate::simulator::world::random::uuid_of;
use crate::simulator::world::state::World;

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(
        endpoint,
        E::ListUploads
            | E::Upload
            | E::QueryUploads
            | E::GetUpload
            | E::DeleteUpload
            | E::UploadContent
            | E::ListProjects
            | E::GetProject
            | E::V2ListProjects
            | E::V2GetProject
    )
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    match call.endpoint {
        Endpoint::ListUploads => list(service, &FileFilter::of_query(service)),
        Endpoint::QueryUploads => list(service, &FileFilter::of_body(body)),
        Endpoint::Upload => create(service, body),
        Endpoint::GetUpload => Ok(Reply::ok(file(service.world, own_file(service, call.first)?))),
        Endpoint::DeleteUpload => delete(service, call.first),
        Endpoint::UploadContent => content(service, call.first),
        Endpoint::ListProjects => Ok(Reply::ok(json!([project(service)]))),
        Endpoint::V2ListProjects => {
            let window = PageWindow::by_cursor(service.query, 1, service.paging())?;
            Ok(Reply::ok(window.cursor_page(vec![project(service)], service.paging())))
        }
        _ if call.first == service.world.projects[service.project].id => Ok(Reply::ok(project(service))),
        _ => Err(Reply::error(404, "No such project")),
    }
}

/// What a list of files is narrowed to.
#[derive(Default)]
struct FileFilter {
    ids: Vec<String>,
    name: Option<String>,
}

impl FileFilter {
    fn of_query(service: &SimulatedService<'_>) -> Self {
        let ids = service.query.all("file_ids").map(str::to_owned).collect();
        Self { ids, name: service.query.get("file_name").map(str::to_owned) }
    }

    fn of_body(body: &Value) -> Self {
        let filter = &body["filter"];
        let ids = filter["file_ids"].as_array().into_iter().flatten();
        Self {
            ids: ids.filter_map(Value::as_str).map(str::to_owned).collect(),
            name: filter["file_name"].as_str().map(str::to_owned),
        }
    }

    fn holds(&self, item: &Item) -> bool {
        let named = self.name.as_ref().is_none_or(|name| *name == item.name);
        named && (self.ids.is_empty() || self.ids.contains(&item.file_id))
    }
}

/// Newest first; a file that lies in several directories is one.
fn list(service: &SimulatedService<'_>, wanted: &FileFilter) -> Result<Reply, Reply> {
    let mut seen = std::collections::HashSet::new();
    let items = service.world.items.iter().enumerate().rev();
    let files: Vec<usize> = items
        .filter(|(_, item)| item.project == service.project && !item.deleted && wanted.holds(item))
        .filter(|(_, item)| seen.insert(item.file_id.as_str()))
        .map(|(index, _)| index)
        .collect();
    let window = PageWindow::by_cursor(service.query, files.len(), service.paging())?;
    let entries = files[window.from..window.to].iter().map(|&item| file(service.world, item));
    Ok(Reply::ok(window.cursor_page(entries.collect(), service.paging())))
}

fn create(service: &mut SimulatedService<'_>, body: &Value) -> Result<Reply, Reply> {
    let fields = body.as_object().ok_or_else(|| missing("file"))?;
    text(fields, "purpose")?.ok_or_else(|| missing("purpose"))?;
    let name = uploaded_name(fields, "file")?;
    let item = service.world.add_upload(service.project, &name, None);
    Ok(Reply::ok(file(service.world, item)))
}

/// The name of an uploaded file, or the refusal that an empty or nameless one earns.
pub(crate) fn uploaded_name(fields: &Map<String, Value>, field: &str) -> Result<String, Reply> {
    let file = fields.get(field).filter(|file| file.is_object()).ok_or_else(|| missing(field))?;
    match (file["filename"].as_str(), file["size"].as_u64()) {
        (None | Some(""), _) => Err(Reply::error(400, "File must have a filename.")),
        (_, Some(0)) => Err(Reply::error(400, "Uploaded file is empty.")),
        (Some(name), _) => Ok(name.to_owned()),
    }
}

/// The newest item of this project behind a file id.
pub(crate) fn own_file(service: &SimulatedService<'_>, id: &str) -> Result<usize, Reply> {
    let found = |item: &Item| item.file_id == id && item.project == service.project && !item.deleted;
    let item = service.world.items.iter().rposition(found);
    item.ok_or_else(|| Reply::error(404, "No such file in this project"))
}

fn delete(service: &mut SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    own_file(service, id)?;
    for item in service.world.items.iter_mut().filter(|item| item.file_id == id) {
        item.deleted = true;
    }
    Ok(Reply::none())
}

/// An address that may be read for a while. Nothing is there: documents of a simulation have no content.
fn content(service: &SimulatedService<'_>, id: &str) -> Result<Reply, Reply> {
    own_file(service, id)?;
    let expires_at = service.world.now + jiff::SignedDuration::from_mins(15);
    let url = format!("https://files.invalid/{id}?X-Amz-Signature=simulated");
    Ok(Reply::ok(json!({"url": url, "expires_at": expires_at, "form_fields": null})))
}

fn file(world: &World, item: usize) -> Value {
    let item = &world.items[item];
    json!({
        "id": item.file_id,
        "name": item.name,
        "project_id": world.projects[item.project].id,
        "file_type": item.name.rsplit_once('.').map(|(_, ending)| ending),
        "purpose": "parse",
        "external_file_id": null,
        "expires_at": null,
        "last_modified_at": null,
    })
}

fn project(service: &SimulatedService<'_>) -> Value {
    let project = &service.world.projects[service.project];
    json!({
        "id": project.id,
        "name": project.name,
        "organization_id": uuid_of("organization"),
        "is_default": service.project == 0,
    })
}

impl World {
    /// Adds a file that can be processed, in a directory or in none; gives its item.
    pub(crate) fn add_upload(&mut self, project: usize, name: &str, directory: Option<usize>) -> usize {
        let file_id = self.random.uuid();
        let directory = directory.unwrap_or_else(|| self.hidden_directory(project));
        self.add_entry(directory, name, file_id)
    }

    /// Puts a file into a directory; gives the item, which every attempt completes.
    pub(crate) fn add_entry(&mut self, directory: usize, name: &str, file_id: String) -> usize {
        let item = Item {
            id: format!("dfl-{}", self.random.uuid()),
            name: name.to_owned(),
            project: self.directories[directory].project,
            directory,
            file_id,
            pages: self.random.between(1, 9),
            bad_pages: Vec::new(),
            cause: ScriptedCause::Succeeds,
            attempts: 0,
            first_takes: None,
            results: Vec::new(),
            unwritable: false,
            unlisted: false,
            deleted: false,
        };
        self.add_item(item)
    }

    fn hidden_directory(&mut self, project: usize) -> usize {
        let found = self.directories.iter().position(|directory| directory.hidden && directory.project == project);
        found.unwrap_or_else(|| {
            let id = format!("dir-{}", self.random.uuid());
            self.directories.push(Directory { hidden: true, ..Directory::new(id, project, "uploads", self.now) });
            self.directories.len() - 1
        })
    }
}
