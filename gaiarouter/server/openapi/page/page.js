// Draws openapi.json, which lies beside this page. Everything is set as text: nothing of the document is taken for markup.
"use strict";

const METHODS = ["get", "post", "patch", "delete", "put", "head"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function resolved(schema, api) {
  if (!schema || !schema.$ref) return schema || {};
  return api.components.schemas[schema.$ref.split("/").pop()];
}

function typeOf(schema, api) {
  const whole = resolved(schema, api);
  if (whole.enum) return whole.enum.map(String).join(" | ");
  if (whole.type === "array") return `list of ${typeOf(whole.items, api)}`;
  const name = whole.title && whole.type === "object" ? whole.title : null;
  return name || [].concat(whole.type || "any").join(" or ");
}

function bounds(schema) {
  const said = [];
  if (schema.title && schema.type !== "object") said.push(schema.title);
  if ("minimum" in schema || "maximum" in schema) said.push(`${schema.minimum ?? ""} to ${schema.maximum ?? ""}`);
  if ("maxLength" in schema) said.push(`at most ${schema.maxLength} characters`);
  if ("maxItems" in schema) said.push(`at most ${schema.maxItems} entries`);
  if ("default" in schema) said.push(`default ${JSON.stringify(schema.default)}`);
  return said;
}

function fieldRows(schema, api, prefix = "") {
  const whole = resolved(schema, api);
  const required = new Set(whole.required || []);
  const rows = [];
  for (const [name, part] of Object.entries(whole.properties || {})) {
    const inner = resolved(part, api);
    const words = [inner.description, ...bounds(inner)].filter(Boolean).join("; ");
    rows.push(row(prefix + name + (required.has(name) ? " *" : ""), typeOf(part, api), words));
    if (inner.properties && prefix.split(".").length < 3) rows.push(...fieldRows(inner, api, `${prefix}${name}.`));
  }
  return rows;
}

function row(...cells) {
  return element("tr", {}, ...cells.map((cell, at) => element("td", {}, at ? cell : element("code", {}, cell))));
}

function table(title, rows) {
  return rows.length ? [element("h3", {}, title), element("table", {}, ...rows)] : [];
}

function contents(title, content, api) {
  return Object.entries(content || {}).flatMap(([kind, { schema, example }]) => {
    const rows = fieldRows(schema, api);
    const shown = example || ((schema || {}).examples || [])[0];
    return [
      element("h3", {}, `${title} (${kind})`),
      ...(rows.length ? [element("table", {}, ...rows)] : []),
      ...(shown ? [element("pre", {}, JSON.stringify(shown, null, 2))] : []),
    ];
  });
}

function drawn(method, path, operation, api) {
  const head = element("summary", {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("span", { class: "path" }, path),
    element("span", { class: "what" }, operation.summary || ""));
  const parameters = (operation.parameters || []).map(({ name, schema, required, in: place }) =>
    row(name + (required ? " *" : ""), `${typeOf(schema, api)}, in the ${place}`,
      [schema.description, ...bounds(schema)].filter(Boolean).join("; ")));
  const good = Object.entries(operation.responses).filter(([status]) => status.startsWith("2"));
  const answers = Object.entries(operation.responses).map(([status, { description }]) => row(status, description));
  const more = element("div", { class: "more" },
    element("p", {}, operation.description || ""),
    ...table("Parameters", parameters),
    ...contents("Body", operation.requestBody && operation.requestBody.content, api),
    ...good.flatMap(([status, { content }]) => contents(`Answer ${status}`, content, api)),
    ...table("Statuses", answers));
  return element("details", { "data-words": `${method} ${path} ${operation.summary || ""}`.toLowerCase() }, head, more);
}

function draw(api) {
  const about = document.getElementById("about");
  about.replaceChildren(`Version ${api.info.version}. ${api.info.description} `,
    element("a", { href: "openapi.json" }, "openapi.json"));
  const place = document.getElementById("endpoints");
  for (const { name, description } of api.tags) {
    const made = [];
    for (const [path, operations] of Object.entries(api.paths)) {
      for (const method of METHODS) {
        const operation = operations[method];
        if (operation && operation.tags[0] === name) made.push(drawn(method, path, operation, api));
      }
    }
    if (made.length) place.append(element("section", {}, element("h2", {}, description), ...made));
  }
}

function filter(event) {
  const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    let shown = 0;
    for (const one of section.querySelectorAll("details")) {
      one.hidden = !wanted.every((word) => one.dataset.words.includes(word));
      shown += one.hidden ? 0 : 1;
    }
    section.hidden = shown === 0;
  }
}

document.getElementById("search").addEventListener("input", filter);
fetch("openapi.json").then((answer) => answer.json()).then(draw, (error) => {
  document.getElementById("about").textContent = `openapi.json could not be read: ${error}`;
});
