// The API, as the server itself describes it in openapi.json: what there is to ask, with what, and what comes back.

import { getPlain } from "../api.js";
import { h, replace } from "../dom.js";
import { chip, heading, link, problem, waiting } from "../parts.js";
import { url } from "../routes.js";
import { t, tn } from "../text.js";

export function reference({ signal, title }) {
  title(t("nav.reference"));
  const body = h("div", {}, waiting(6, "row"));
  const search = h("input", { type: "search", class: "search", id: "find", "aria-label": t("reference.find"), placeholder: t("reference.find") });
  const count = h("p", { class: "small quiet", role: "status" });
  let operations = [];

  function draw() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = operations.filter((one) => words.every((word) => one.text.includes(word)));
    replace(count, tn("reference.count", found.length));
    replace(body, grouped(found).map(([name, members]) => h("section", { class: "routes" }, h("h2", {}, name), members.map((one) => one.element))));
  }

  async function load() {
    try {
      const said = await getPlain("openapi.json", signal);
      operations = operationsOf(said);
      draw();
    } catch (error) {
      if (error.name !== "AbortError") replace(body, problem(error, load));
    }
  }

  search.addEventListener("input", draw);
  load();
  const raw = h("a", { class: "button quiet", href: url("openapi.json"), download: "visiona-openapi.json" }, t("reference.download"));
  return h("div", {}, heading(t("nav.reference"), raw), h("p", { class: "lead" }, t("reference.intro"), " ", link("tokens", {}, t("nav.tokens"))), search, count, body);
}

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

function operationsOf(said) {
  const found = [];
  for (const [path, methods] of Object.entries(said.paths)) {
    // One line for what answers to every method.
    const names = METHODS.filter((name) => methods[name]);
    const every = names.length === METHODS.length;
    for (const name of every ? ["any"] : names) {
      const one = methods[every ? "get" : name];
      found.push({ path, text: `${name} ${path} ${one.summary}`.toLowerCase(), element: operation(name, path, one, said) });
    }
  }
  return found;
}

function grouped(operations) {
  const groups = new Map();
  for (const one of operations) {
    const [first, second] = one.path.split("/").filter(Boolean);
    const name = first === "api" ? second : first;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(one);
  }
  return [...groups].sort(([one], [other]) => one.localeCompare(other));
}

function operation(method, path, one, said) {
  const open = one.security.length === 0;
  const summary = h("summary", {}, h("span", { class: `method ${method}` }, method.toUpperCase()), h("code", {}, path), h("span", { class: "says" }, one.summary), open && chip(t("reference.open"), "quiet"));
  const details = h("details", { class: "route" }, summary);
  // The inside is drawn when somebody looks: there are hundreds of tables.
  details.addEventListener("toggle", () => details.open && details.childElementCount === 1 && details.append(inside(one, said)), { once: true });
  return details;
}

function inside(one, said) {
  const parameters = one.parameters ?? [];
  const taken = one.requestBody?.content?.["application/json"];
  return h(
    "div",
    { class: "route-inside" },
    parameters.length > 0 && [h("h3", {}, t("reference.parameters")), table(parameters.map((each) => [each.name, each.required, each.schema]), said)],
    taken && [h("h3", {}, t("reference.body")), shape(taken.schema, said), example(taken.example)],
    h("h3", {}, t("reference.answers")),
    h("dl", { class: "answers" }, Object.entries(one.responses).map(([status, answer]) => h("div", {}, h("dt", {}, status), h("dd", {}, answered(answer, said))))),
  );
}

function answered(answer, said) {
  const [media, content] = Object.entries(answer.content ?? {})[0] ?? [];
  const schema = content?.schema;
  const isRefusal = schema?.$ref?.endsWith("/Refusal");
  const data = schema?.properties?.data ?? schema;
  return [h("p", {}, answer.description.replaceAll("`", "")), !isRefusal && media && media !== "application/json" && h("code", {}, media), !isRefusal && media === "application/json" && shape(data, said), example(content?.example)];
}

function example(value) {
  return value === undefined ? null : h("pre", { tabindex: "0" }, h("code", {}, JSON.stringify(value, null, 2)));
}

/** A schema: its fields if it has some, else its name. */
function shape(schema, said) {
  const whole = resolved(schema, said);
  if (whole?.anyOf) return whole.anyOf.map((each) => shape(each, said));
  if (whole?.type === "array") return [h("p", { class: "small quiet" }, t("reference.listOf")), shape(whole.items, said)];
  if (!whole?.properties) return h("code", {}, kindOf(schema, said));
  const needed = new Set(whole.required ?? []);
  return table(Object.entries(whole.properties).map(([name, field]) => [name, needed.has(name), field]), said);
}

function table(rows, said) {
  const meanings = rows.map(([, , schema]) => resolved(schema, said)?.description ?? "");
  const means = meanings.some(Boolean);
  const names = [t("reference.field"), t("reference.type"), means && t("reference.meaning")].filter(Boolean);
  const line = ([name, needed, schema], place) =>
    h(
      "tr",
      {},
      h("td", {}, h("code", {}, name), !needed && h("span", { class: "small quiet" }, " ", t("reference.optional"))),
      h("td", {}, kindOf(schema, said)),
      means && h("td", {}, meanings[place]),
    );
  const head = h("thead", {}, h("tr", {}, names.map((text) => h("th", { scope: "col" }, text))));
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("reference.fields") }, h("table", {}, head, h("tbody", {}, rows.map(line))));
}

function resolved(schema, said) {
  return schema?.$ref ? said.components.schemas[schema.$ref.split("/").at(-1)] : schema;
}

function kindOf(schema, said) {
  if (schema?.$ref) return schema.$ref.split("/").at(-1);
  if (schema?.anyOf) return schema.anyOf.map((each) => kindOf(each, said)).join(" | ");
  if (schema?.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema?.type === "array") return `${kindOf(schema.items, said)}[]`;
  const limits = [schema?.minimum !== undefined && `≥ ${schema.minimum}`, schema?.maximum !== undefined && `≤ ${schema.maximum}`, schema?.maxLength !== undefined && `≤ ${schema.maxLength}`];
  const kind = schema?.format ?? [schema?.type ?? "any"].flat().join(" | ");
  return [kind, ...limits.filter(Boolean)].join(" ");
}
