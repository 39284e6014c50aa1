// The API reference, generated from the OpenAPI document.

import { make } from "../text.js";

let documentRoot;

function resolve(schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref
    .slice(2)
    .split("/")
    .reduce((node, key) => node[key], documentRoot);
}

/** "integer >= 1", "mask | color": the values allowed. */
function kindOf(schema) {
  const s = resolve(schema);
  if (s.anyOf) return s.anyOf.map(kindOf).filter((kind) => kind !== "null").join(" | ");
  if (s.enum) return s.enum.join(" | ");
  if (s.const !== undefined) return String(s.const);
  const bounds = [s.minimum !== undefined && `≥ ${s.minimum}`, s.maximum !== undefined && `≤ ${s.maximum}`];
  return [s.type === "array" ? "list" : s.format ?? s.type, ...bounds].filter(Boolean).join(" ");
}

/** An example value made from the examples in the schema. */
function example(schema) {
  const s = resolve(schema);
  if (s.examples) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.const !== undefined) return s.const;
  if (s.anyOf) return example(s.anyOf[0]);
  if (s.type === "array") return [example(s.items)];
  if (s.type === "object") {
    return Object.fromEntries(Object.entries(s.properties ?? {}).map(([name, of]) => [name, example(of)]));
  }
  return s.type === "string" ? "" : null;
}

function rows(entries) {
  const list = make("dl", "", "rows");
  for (const [term, kind, description, ...more] of entries) {
    const detail = make("dd", description);
    if (kind) detail.prepend(make("span", `${kind} `, "kind"));
    detail.append(...more);
    list.append(make("dt", term), detail);
  }
  return list;
}

function jsonDetails(title, value) {
  const details = make("details");
  const code = make("pre");
  code.textContent = JSON.stringify(value, null, 2);
  details.append(make("summary", title), code);
  return details;
}

/** The documented fields of a JSON reply, nested ones as `classes[].rle`. */
function fields(schema, prefix = "") {
  const s = resolve(schema);
  if (s.type === "array") return fields(s.items, `${prefix.slice(0, -1)}[].`);
  return Object.entries(s.properties ?? {}).flatMap(([name, of]) => [
    ...(of.description ? [[`${prefix}${name}`, kindOf(of), of.description]] : []),
    ...fields(of, `${prefix}${name}.`),
  ]);
}

function responseRow([status, response]) {
  const parts = [];
  const content = response.content ?? {};
  const types = Object.keys(content).join(", ");
  const json = content["application/json"];
  if (json?.examples) {
    for (const { summary, value } of Object.values(json.examples)) parts.push(jsonDetails(summary, value));
  } else if (json?.schema) {
    parts.push(jsonDetails("JSON example", example(json.schema)));
  }
  if (json?.schema && status === "200") {
    const documented = fields(json.schema);
    if (documented.length) {
      const details = make("details");
      details.append(make("summary", "JSON fields"), rows(documented));
      parts.push(details);
    }
  }
  const headers = Object.entries(response.headers ?? {}).map(([name, { description }]) => [name, "", description]);
  if (headers.length) {
    const details = make("details");
    details.append(make("summary", "Headers"), rows(headers));
    parts.push(details);
  }
  return [status, status === "200" ? types : "", response.description, ...parts];
}

function operationCard(method, path, operation) {
  const card = make("section", "", "operation");
  card.id = operation.operationId;
  const heading = make("h2", path);
  heading.prepend(make("span", method.toUpperCase(), "method"));
  // Examples can be copied: they contain the address of this page.
  const description = (operation.description ?? "").replaceAll("http://localhost:8000", location.origin);
  card.append(heading, ...description.split("\n\n").map((text) => make("p", text)));
  if (operation.requestBody) {
    card.append(make("h3", "Body"), make("p", operation.requestBody.description));
    card.append(make("p", Object.keys(operation.requestBody.content).join(", "), "kind"));
  }
  if (operation.parameters) {
    card.append(
      make("h3", "Parameters"),
      rows(operation.parameters.map((p) => [p.name, kindOf(p.schema), p.description ?? p.schema.description ?? ""])),
    );
  }
  card.append(make("h3", "Replies"), rows(Object.entries(operation.responses).map(responseRow)));
  return card;
}

documentRoot = await (await fetch("/openapi.json")).json();
document.getElementById("reference").replaceChildren(
  make("p", documentRoot.info.description),
  ...Object.entries(documentRoot.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => operationCard(method, path, operation)),
  ),
);
