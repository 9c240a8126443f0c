//! Saved configurations: what v2 batches and jobs name by id.

use serde_json::{Map, Value, json};

use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::paging::PageWindow;
use crate::simulator::http::reply::Reply;
use crate::simulator::http::service::SimulatedService;
use crate::simulator::storage::stored::Configuration;
use crate::simulator::v1::create::{missing, text};

/// What a configuration may be for.
const PRODUCTS: [&str; 5] = ["parse_v2", "extract_v2", "classify_v2", "split_v1", "spreadsheet_v1"];

/// Whether this call is answered here.
pub(crate) fn serves(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(
        endpoint,
        E::ListConfigurations
            | E::CreateConfiguration
            | E::GetConfiguration
            | E::UpdateConfiguration
            | E::DeleteConfiguration
    )
}

/// Answers it.
pub(crate) fn answer(
    service: &mut SimulatedService<'_>,
    call: &EndpointCall<'_>,
    body: &Value,
) -> Result<Reply, Reply> {
    match call.endpoint {
        Endpoint::ListConfigurations => list(service),
        Endpoint::CreateConfiguration => create(service, fields(body)?),
        Endpoint::UpdateConfiguration => update(service, call.first, fields(body)?),
        Endpoint::DeleteConfiguration => {
            let place = find(service, call.first)?;
            service.world.stored.configurations.remove(place);
            Ok(Reply::none())
        }
        _ => Ok(Reply::ok(shown(&service.world.stored.configurations[find(service, call.first)?]))),
    }
}

fn fields(body: &Value) -> Result<&Map<String, Value>, Reply> {
    body.as_object().ok_or_else(|| Reply::invalid(&["body"], "not an object"))
}

fn find(service: &SimulatedService<'_>, id: &str) -> Result<usize, Reply> {
    let saved = &service.world.stored.configurations;
    let found =
        saved.iter().position(|configuration| configuration.id == id && configuration.project == service.project);
    found.ok_or_else(|| Reply::error(404, "Configuration not found"))
}

fn list(service: &SimulatedService<'_>) -> Result<Reply, Reply> {
    let saved = service.world.stored.configurations.iter();
    let own: Vec<&Configuration> = saved.filter(|configuration| configuration.project == service.project).collect();
    let window = PageWindow::by_cursor(service.query, own.len(), service.paging())?;
    let entries = own[window.from..window.to].iter().map(|configuration| shown(configuration));
    Ok(Reply::ok(window.cursor_page(entries.collect(), service.paging())))
}

fn create(service: &mut SimulatedService<'_>, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let name = text(fields, "name")?.ok_or_else(|| missing("name"))?.to_owned();
    let parameters = checked(fields.get("parameters").ok_or_else(|| missing("parameters"))?)?;
    let world = &mut *service.world;
    let (id, now) = (format!("cfg-{}", world.random.uuid()), world.now);
    let configuration =
        Configuration { id, project: service.project, name, parameters, version: 1, created_at: now, updated_at: now };
    let reply = Reply::ok(shown(&configuration));
    world.stored.configurations.push(configuration);
    Ok(reply)
}

fn update(service: &mut SimulatedService<'_>, id: &str, fields: &Map<String, Value>) -> Result<Reply, Reply> {
    let place = find(service, id)?;
    let name = text(fields, "name")?.map(str::to_owned);
    let parameters = fields.get("parameters").filter(|value| !value.is_null()).map(checked).transpose()?;
    let now = service.world.now;
    let configuration = &mut service.world.stored.configurations[place];
    configuration.name = name.unwrap_or_else(|| configuration.name.clone());
    configuration.parameters = parameters.unwrap_or_else(|| configuration.parameters.clone());
    configuration.version += 1;
    configuration.updated_at = now;
    Ok(Reply::ok(shown(configuration)))
}

/// Parameters that say which product they are for.
fn checked(parameters: &Value) -> Result<Value, Reply> {
    match parameters["product_type"].as_str() {
        Some(product) if PRODUCTS.contains(&product) => Ok(parameters.clone()),
        _ => Err(Reply::invalid(&["body", "parameters", "product_type"], "not one of the known words")),
    }
}

fn shown(configuration: &Configuration) -> Value {
    json!({
        "id": configuration.id,
        "name": configuration.name,
        "product_type": configuration.parameters["product_type"],
        "parameters": configuration.parameters,
        "version": configuration.version.to_string(),
        "created_at": configuration.created_at,
        "updated_at": configuration.updated_at,
    })
}
