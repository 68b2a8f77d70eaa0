//! A list that a call gives, page by page: which of its rows is the key's.

use serde_json::Value;

use super::not_written;
use super::said::{host_of, plain, value_at};
use crate::net::{Net, Reply, Request, Text};
use crate::provider::Failure;
use crate::provider::template::{Values, in_query};
use crate::rule::block;

/// Pages of a list that are read at most.
const PAGES: usize = 100;

/// Characters of a key that a masked form must show before it tells two keys apart.
const SHOWN: usize = 6;

/// The ids of all rows that fit, of all pages.
pub(super) fn rows(
    net: &dyn Net,
    find: &block::Find,
    values: &Values<'_>,
) -> Result<Vec<String>, Failure> {
    let mut first = values
        .requests(&find.request)
        .map_err(not_written)?
        .remove(0);
    first.is_read = true;
    let mut request = first.clone();
    let mut mark = String::new();
    let host = host_of(&request.url.wire()).map(str::to_owned);
    let mut ids = Vec::new();
    for page in 1..=PAGES {
        let reply = net
            .send(&request)
            .map_err(|e| Failure::NotSent(format!("looking it up: {e}")))?;
        let json = match (reply.status, reply.json()) {
            (200..=299, Some(json)) => json,
            _ if reply.limited(net.now()).is_some() => {
                let until = reply.limited(net.now()).flatten();
                return Err(Failure::RateLimited(until));
            }
            (401 | 403, _) => {
                return Err(Failure::Authority(format!(
                    "looking it up was answered {}: the credential may not list keys",
                    reply.status
                )));
            }
            (status, _) => {
                return Err(Failure::NotSent(format!(
                    "looking it up was answered {status}"
                )));
            }
        };
        let rows: Vec<&Value> = match &find.list {
            None => vec![&json],
            Some(at) => json
                .pointer(at)
                .and_then(Value::as_array)
                .ok_or_else(|| {
                    Failure::NotSent(
                        "looking it up: the answer has no list where one is documented".to_owned(),
                    )
                })?
                .iter()
                .collect(),
        };
        for row in rows {
            if fits(&find.row, row, values)? {
                let id = row.pointer(&find.id).and_then(plain);
                let id =
                    id.ok_or_else(|| Failure::Object("the row that fits has no id".to_owned()))?;
                ids.push(id);
            }
        }
        if let Some(more) = &find.more {
            let Some(next) = next_page(more, page, &reply, &json)? else {
                return Ok(ids);
            };
            if next == mark {
                return Err(half_read(
                    "the list does not go on where it says that it does",
                ));
            }
            mark = next;
            request = turned(&first, &more.to, &mark);
            continue;
        }
        let next = find
            .next
            .as_ref()
            .and_then(|at| json.pointer(at))
            .and_then(Value::as_str);
        let Some(next) = next.filter(|n| !n.is_empty()) else {
            return Ok(ids);
        };
        // A path is of the same host; an address of another host never gets the credential.
        let next = match next.strip_prefix('/') {
            Some(path) => format!("https://{}/{path}", host.as_deref().unwrap_or_default()),
            None => next.to_owned(),
        };
        if !next.starts_with("https://") || host_of(&next) != host.as_deref() {
            return Err(Failure::Object(
                "the list goes on at another host: not followed".to_owned(),
            ));
        }
        request.url = Text::public(next);
    }
    Err(half_read(&format!("the list has more than {PAGES} pages")))
}

/// The mark of the page behind this one; `None` where the list ends here.
fn next_page(
    more: &block::More,
    page: usize,
    reply: &Reply,
    json: &Value,
) -> Result<Option<String>, Failure> {
    let at = |place: &str| value_at(place, reply, Some(json));
    let said = at(&more.when);
    let goes_on = match said.as_deref() {
        said if more.when.starts_with("header:") => said.is_some(),
        Some("true") => true,
        Some("false") => false,
        said => {
            let pages = said.and_then(|said| said.parse::<usize>().ok());
            page < pages.ok_or_else(|| half_read("the list does not say whether it goes on"))?
        }
    };
    if !goes_on {
        return Ok(None);
    }
    let Some(from) = &more.from else {
        return Ok(Some((page + 1).to_string()));
    };
    let mark = at(from).filter(|mark| !mark.is_empty());
    let mark = mark.ok_or_else(|| half_read("the list does not say where it goes on"))?;
    Ok(Some(mark))
}

/// The request of a list, for another page.
fn turned(first: &Request, to: &str, mark: &str) -> Request {
    let mut request = first.clone();
    if let Some(name) = to.strip_prefix("header:") {
        request = request.with_header(name, Text::public(mark));
    } else {
        let has_query = request.url.shown().contains('?');
        let sign = if has_query { '&' } else { '?' };
        let more = format!("{sign}{to}={}", in_query(mark));
        request.url.append(Text::public(more));
    }
    request
}

/// A list that was not read to its end: whatever was found in it, there may be more that fits.
fn half_read(why: &str) -> Failure {
    Failure::Object(format!(
        "{why}: not all of it was read, so that it is not known which entry is the key's, if any"
    ))
}

/// Whether a row of a list is the one that is looked for.
fn fits(tests: &[block::Row], row: &Value, values: &Values<'_>) -> Result<bool, Failure> {
    for test in tests {
        let Some(value) = row.pointer(&test.at).and_then(plain) else {
            return Ok(false);
        };
        let is_it = if let Some(template) = &test.equals {
            value == values.clear(template).map_err(not_written)?
        } else if let Some(template) = &test.masked {
            is_mask_of(&value, &values.clear(template).map_err(not_written)?)
        } else {
            false
        };
        if !is_it {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a text is another with its middle masked.
fn is_mask_of(masked: &str, whole: &str) -> bool {
    let is_mask = |c: char| matches!(c, '.' | '*' | '…' | '•' | ' ');
    let (Some(start), Some(end)) = (masked.find(is_mask), masked.rfind(is_mask)) else {
        return masked == whole;
    };
    let head = masked.get(..start).unwrap_or_default();
    let tail = masked
        .get(end..)
        .unwrap_or_default()
        .trim_start_matches(is_mask);
    head.len() + tail.len() >= SHOWN
        && head.len() + tail.len() < whole.len()
        && whole.starts_with(head)
        && whole.ends_with(tail)
}
