//! Faults inside the JSON of an answer. What is no JSON is left as it is.

use serde_json::{Map, Value, json};

use crate::demo::exchange::Answer;

/// The cursor that endless pages repeat.
const SAME_CURSOR: &str = "Y3Vyc29yOnYyOjA6bjow";

pub(super) fn rate_limited(answer: &mut Answer) {
    answer.headers.retain(|(name, _)| *name != "x-ratelimit-remaining");
    answer.headers.push(("x-ratelimit-remaining", "0".to_owned()));
    let error = json!({"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."});
    answer.body = json!({"errors": [error]}).to_string().into_bytes();
}

pub(super) fn resource_limits(answer: &mut Answer) {
    let mut errors = Vec::new();
    edit(answer, |body| {
        let mut lose = |object: &mut Map<String, Value>| {
            for (name, value) in object.iter_mut() {
                if let Value::Array(items) = value {
                    for item in items.iter_mut().skip(1).filter(|item| item.is_object()) {
                        *item = Value::Null;
                        errors.push(json!({
                            "type": "RESOURCE_LIMITS_EXCEEDED",
                            "path": [name],
                            "message": "Resource limits for this query exceeded.",
                        }));
                    }
                }
            }
        };
        each_object(body, &mut lose);
    });
    edit(answer, |body| {
        if let (Some(object), false) = (body.as_object_mut(), errors.is_empty()) {
            object.insert("errors".to_owned(), Value::Array(errors));
        }
    });
}

pub(super) fn null_item(answer: &mut Answer, name: &str, place: usize) {
    edit(answer, |body| {
        each_object(body, &mut |object| {
            let item = object.get_mut(name).and_then(|list| list.get_mut(place));
            if let Some(item) = item {
                *item = Value::Null;
            }
        });
    });
}

pub(super) fn word(answer: &mut Answer, old: &str, new: &str) {
    let (old, new) = (old.trim_matches('"'), new.trim_matches('"'));
    let text = String::from_utf8_lossy(&answer.body);
    let spoiled = text.replacen(&format!(":\"{old}\""), &format!(":\"{new}\""), 1);
    answer.body = spoiled.into_bytes();
}

pub(super) fn extra_fields(answer: &mut Answer) {
    edit(answer, |body| {
        each_object(body, &mut |object| {
            object.insert("somethingNew".to_owned(), json!({"nested": [1, "two", null]}));
        });
    });
}

pub(super) fn endless_pages(answer: &mut Answer) {
    edit(answer, |body| {
        each_object(body, &mut |object| {
            if object.contains_key("hasNextPage") {
                object.insert("hasNextPage".to_owned(), json!(true));
                object.insert("endCursor".to_owned(), json!(SAME_CURSOR));
            }
            if object.contains_key("more") {
                object.insert("more".to_owned(), json!(true));
            }
        });
    });
}

fn edit(answer: &mut Answer, change: impl FnOnce(&mut Value)) {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) {
        change(&mut body);
        answer.body = body.to_string().into_bytes();
    }
}

fn each_object(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            for inner in object.values_mut() {
                each_object(inner, change);
            }
            change(object);
        }
        Value::Array(items) => {
            for item in items {
                each_object(item, change);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
