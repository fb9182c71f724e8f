// Elements from values. Texts become text nodes and nothing else, so whatever a device calls itself stays a text.

const SVG = "http://www.w3.org/2000/svg";

/** An element; attributes that are null, undefined or false are left out, functions under `on` become listeners. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

/** Adds children; lists are opened, nothing (null, undefined, false) is skipped. */
export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts children in the place of what is there. */
export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

/** Changes a text only if it differs, so that a live region does not say it again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const ICONS = {
  devices: ["M4 5h16v10H4z", "M9 19h6", "M12 15v4"],
  pairing: ["M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1", "M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1"],
  models: ["M12 3l8 4.5v9L12 21l-8-4.5v-9z", "M4 7.5l8 4.5 8-4.5", "M12 12v9"],
  activity: ["M3 12h4l3-8 4 16 3-8h4"],
  settings: ["M4 7h9M17 7h3M4 17h3M11 17h9", "M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z", "M9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"],
  download: ["M12 4v11", "M7 11l5 5 5-5", "M5 20h14"],
  upload: ["M12 16V5", "M7 9l5-5 5 5", "M5 20h14"],
  signOut: ["M14 4h5v16h-5", "M10 8l-4 4 4 4", "M6 12h9"],
  add: ["M12 5v14", "M5 12h14"],
  back: ["M14 6l-6 6 6 6"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  check: ["M5 12.5l4.5 4.5L19 7"],
  cross: ["M6 6l12 12", "M18 6L6 18"],
  play: ["M8 5.5v13l11-6.5z"],
  pause: ["M8 5v14", "M16 5v14"],
  edit: ["M5 19l1-4L16 5l3 3L9 18z"],
  unpair: ["M4 4l16 16", "M10 14a4 4 0 0 0 4.5.8", "M17 13l1.7-2a4 4 0 0 0-5.7-5.7l-1 1", "M7 11l-1.7 2A4 4 0 0 0 11 18.7l1-1"],
  camera: ["M4 8h3l2-3h6l2 3h3v11H4z", "M12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z"],
  chip: ["M7 7h10v10H7z", "M10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4"],
  menu: ["M4 7h16", "M4 12h16", "M4 17h16"],
};

/** One of the console's signs; it says nothing that is not also said in words. */
export function icon(name) {
  const paths = ICONS[name].map((d) => s("path", { d }));
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, paths);
}
