//! Ids of LlamaCloud, as far as their shape says something.

/// Whether this is a uuid as LlamaCloud writes it, without any prefix.
pub(crate) fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The bare uuid of a project's id: answers of the API write `prj-` or `proj-` before it, its queries and the console do not.
pub(crate) fn bare_project_id(project_id: &str) -> &str {
    let bare = ["proj-", "prj-"].iter().find_map(|prefix| project_id.strip_prefix(prefix));
    bare.filter(|bare| is_uuid(bare)).unwrap_or(project_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_bare_only_where_a_uuid_follows_the_prefix() {
        let uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        assert!(is_uuid(uuid));
        for id in [uuid.to_owned(), format!("prj-{uuid}"), format!("proj-{uuid}")] {
            assert_eq!(bare_project_id(&id), uuid);
        }
        for id in ["", "prj-", "prj-x", "7c9e6679742540de944be07fc1f90ae7", "é"] {
            assert!(!is_uuid(id) && bare_project_id(id) == id);
        }
        assert!(!is_uuid("7c9e6679-7425-40de-944b-e07fc1f90aég"));
    }
}
