//! Whether a value is as a schema of a CustomResourceDefinition wants it: what an API server would refuse, or drop without a
//! word. Rules in CEL are left to it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::Value;

/// Where a value differs from its schema, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// A path like `spec.controls[0].id`.
    pub(super) field: String,
    pub(super) message: String,
}

/// The first difference within a field.
pub(super) fn difference(schema: &JSONSchemaProps, value: &Value, field: &str) -> Option<Difference> {
    let own = mistyped(schema, value)
        .or_else(|| missing(schema, value))
        .or_else(|| not_among(schema, value))
        .or_else(|| out_of_bounds(schema, value));
    if let Some(message) = own {
        let field = field.to_owned();
        return Some(Difference { field, message });
    }
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let within = format!("{field}.{name}");
            match schema_of(schema, name) {
                Known::As(schema) => difference(schema, value, &within),
                Known::Anything => None,
                Known::Not => Some(Difference {
                    field: within,
                    message: "unknown field".to_owned(),
                }),
            }
        }),
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else {
                return None;
            };
            let mut items = items.iter().enumerate();
            items.find_map(|(at, item)| difference(schema, item, &format!("{field}[{at}]")))
        }
        _ => None,
    }
}

/// What a schema says of a field of an object.
enum Known<'a> {
    As(&'a JSONSchemaProps),
    Anything,
    Not,
}

fn schema_of<'a>(schema: &'a JSONSchemaProps, name: &str) -> Known<'a> {
    let named = schema.properties.as_ref().and_then(|named| named.get(name));
    match (named, &schema.additional_properties) {
        (Some(named), _) => Known::As(named),
        (None, Some(JSONSchemaPropsOrBool::Schema(any))) => Known::As(any),
        (None, Some(JSONSchemaPropsOrBool::Bool(true))) => Known::Anything,
        (None, _) if schema.x_kubernetes_preserve_unknown_fields == Some(true) => Known::Anything,
        (None, _) => Known::Not,
    }
}

fn mistyped(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let wanted = schema.type_.as_deref()?;
    let fits = match (wanted, value) {
        (_, Value::Null) => schema.nullable == Some(true),
        ("object", _) => value.is_object(),
        ("array", _) => value.is_array(),
        ("string", _) => value.is_string(),
        ("boolean", _) => value.is_boolean(),
        ("integer", _) => value.is_i64() || value.is_u64(),
        ("number", _) => value.is_number(),
        _ => true,
    };
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    (!fits).then(|| format!("expected {wanted}, found {found}"))
}

fn missing(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let mut required = schema.required.iter().flatten();
    let missing = required.find(|name| !fields.contains_key(*name))?;
    Some(format!("{missing} is missing"))
}

fn not_among(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let choices = schema.enum_.as_ref()?;
    if choices.iter().any(|choice| choice.0 == *value) {
        return None;
    }
    let choices: Vec<&str> = choices.iter().filter_map(|choice| choice.0.as_str()).collect();
    Some(format!("expected one of {}, found {value}", choices.join(", ")))
}

fn out_of_bounds(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let (size, [least, most], unit) = match value {
        Value::Number(number) => {
            let number = number.as_f64()?;
            let is_low = schema.minimum.filter(|least| number < *least);
            let is_high = schema.maximum.filter(|most| number > *most);
            return is_low
                .map(|least| format!("at least {least}"))
                .or_else(|| is_high.map(|most| format!("at most {most}")));
        }
        Value::String(text) => {
            let pattern = schema.pattern.as_deref();
            let differs = |it: &&str| Regex::new(it).is_ok_and(|it| !it.is_match(text));
            if let Some(pattern) = pattern.filter(differs) {
                return Some(format!("it does not match {pattern}"));
            }
            let length = text.chars().count();
            (length, [schema.min_length, schema.max_length], "characters")
        }
        Value::Array(items) => (items.len(), [schema.min_items, schema.max_items], "items"),
        Value::Object(fields) => {
            let bounds = [schema.min_properties, schema.max_properties];
            (fields.len(), bounds, "fields")
        }
        Value::Null | Value::Bool(_) => return None,
    };
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let is_short = least.filter(|least| size < *least);
    let is_long = most.filter(|most| size > *most);
    is_short
        .map(|least| format!("at least {least} {unit}, found {size}"))
        .or_else(|| is_long.map(|most| format!("at most {most} {unit}, found {size}")))
}
