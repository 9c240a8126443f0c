//! Ids of LlamaCloud, as far as their shape says something, and ours in that shape.

use ulid::Ulid;

/// Whether this is a uuid as LlamaCloud writes it, without any prefix.
pub(crate) fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The 128 bits of a ULID as a uuid, for fields that are typed so; none if it is no ULID.
pub fn uuid_of_ulid(ulid: &str) -> Option<String> {
    let hex = format!("{:032x}", Ulid::from_string(ulid).ok()?.0);
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// The ULID whose bits a uuid holds; none if it is no uuid.
pub fn ulid_of_uuid(uuid: &str) -> Option<String> {
    let bits = is_uuid(uuid).then(|| u128::from_str_radix(&uuid.replace('-', ""), 16).ok())??;
    Some(Ulid::from(bits).to_string())
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
    fn an_id_of_ours_travels_as_a_uuid_and_back() {
        let ulid = "01JDZ3N2E8Q4V7X9R0S1T2W3Y4";
        let uuid = uuid_of_ulid(ulid).unwrap();
        assert!(is_uuid(&uuid), "{uuid}");
        assert_eq!(ulid_of_uuid(&uuid).as_deref(), Some(ulid));
        assert_eq!((uuid_of_ulid(""), uuid_of_ulid("intent-1"), ulid_of_uuid(ulid)), (None, None, None));
    }

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
