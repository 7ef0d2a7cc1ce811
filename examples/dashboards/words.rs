//! Words and colours that mean the same on every board, and how JSON is put together.

use serde_json::{Value, json};

use super::measures::ALL;

/// The states of a measure, from the calm to the worst, with their colours.
pub(crate) const STATES: [(&str, &str); 8] = [
    ("ok", "green"),
    ("improved", "super-light-green"),
    ("recovering", "blue"),
    ("watch", "yellow"),
    ("regressed", "red"),
    ("accepted", "light-blue"),
    ("insufficient", "#8e8e8e"),
    ("data_suspect", "purple"),
];

/// The states of a guardrail.
pub(crate) const GUARDRAIL_STATES: [(&str, &str); 4] =
    [("inside", "green"), ("near", "yellow"), ("outside", "red"), ("unknown", "#8e8e8e")];

/// Values of labels that are words of a table: each in its colour.
pub(crate) fn colours(words: &[(&str, &str)]) -> Value {
    let options: serde_json::Map<_, _> = (0..)
        .zip(words)
        .map(|(index, (word, colour))| {
            let text = word.replace('_', " ");
            ((*word).to_owned(), json!({ "color": colour, "index": index, "text": text }))
        })
        .collect();
    json!([{ "type": "value", "options": options }])
}

/// Flags: 1 is as it should be, 0 is not.
pub(crate) fn flag(yes: &str, no: &str) -> Value {
    json!([{
        "type": "value",
        "options": {
            "1": { "color": "green", "index": 0, "text": yes },
            "0": { "color": "red", "index": 1, "text": no },
        },
    }])
}

/// Cells of a table whose words have the colour of their mapping.
pub(crate) fn in_colour() -> (&'static str, Value) {
    ("custom.cellOptions", json!({ "type": "color-text" }))
}

/// Measures in the words of the pages.
pub(crate) fn measures() -> Value {
    let options: serde_json::Map<_, _> = (0..)
        .zip(ALL)
        .map(|(index, shown)| {
            (shown.measure.label().to_owned(), json!({ "index": index, "text": shown.title }))
        })
        .collect();
    json!([{ "type": "value", "options": options }])
}

/// Labels of two or three words, with spaces between them.
pub(crate) fn spaced() -> Value {
    let between = |index: u32, pattern: &str, text: &str| json!({ "type": "regex", "options": { "pattern": pattern, "result": { "index": index, "text": text } } });
    json!([
        between(0, "^([a-z]+)_([a-z]+)$", "$1 $2"),
        between(1, "^([a-z]+)_([a-z]+)_([a-z]+)$", "$1 $2 $3"),
    ])
}

/// A cell that shows a share as a bar, too.
pub(crate) fn as_bar() -> [(&'static str, Value); 5] {
    let bar = json!({ "type": "gauge", "mode": "basic", "valueDisplayMode": "text" });
    [
        ("unit", json!("percentunit")),
        ("min", json!(0)),
        ("max", json!(1)),
        ("color", json!({ "mode": "fixed", "fixedColor": "blue" })),
        ("custom.cellOptions", bar),
    ]
}

/// Seconds as hours: on an axis of hours the steps are full ones.
pub(crate) fn hours(seconds: &str) -> String {
    format!("{seconds} / 3600")
}

/// Unix seconds as the milliseconds that Grafana wants of an instant.
pub(crate) fn millis(seconds: &str) -> String {
    format!("{seconds} * 1000")
}

/// An object with the keys of another in it: its own where the other has none.
pub(crate) fn with(object: Value, more: Value) -> Value {
    match (object, more) {
        (Value::Object(mut object), Value::Object(more)) => {
            object.extend(more);
            Value::Object(object)
        }
        (object, _) => object,
    }
}
