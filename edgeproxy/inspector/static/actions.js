// What can be done with a recorded request.

import { get, part, post } from "./api.js";
import { count } from "./format.js";
import { html, nothing, render } from "./vendor/lit-html.js";

async function attempt(context, what) {
  try {
    await what();
  } catch (error) {
    context.say(error.message);
  }
}

async function copy(context, copied, what) {
  await navigator.clipboard.writeText(typeof copied === "string" ? copied : JSON.stringify(copied, null, 2));
  context.say(`${what} copied.`);
}

function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** How many IDs fit into one address. */
const IDS = 100;

/** Saves an HTTP archive of these requests, oldest first; browsers open one in their dev tools. */
export async function saveHar(exchanges, context) {
  await attempt(context, async () => {
    let archive = null;
    for (let at = 0; at < exchanges.length; at += IDS) {
      const ids = exchanges.slice(at, at + IDS).map(({ id }) => part(id));
      const more = await get(`/api/har?ids=${ids.join(",")}`);
      if (archive) archive.log.entries.push(...more.log.entries);
      else archive = more;
    }
    save("edgeproxy.har", "application/json", JSON.stringify(archive, null, 1));
    context.say(`${count(archive.log.entries.length, "request")} saved.`);
  });
}

async function sendAgain(exchange, context, edits) {
  const { id } = await post(`/api/exchanges/${part(exchange.id)}/again`, edits);
  context.say("Sent.");
  location.hash = `#/exchange/${id}`;
}

/** `station` is the one that is looked at: the event is of its type, if it is a function's. */
export function actions(exchange, station, context) {
  const as = (format, what) => () =>
    attempt(context, async () => copy(context, await get(`/api/exchanges/${part(exchange.id)}/as/${format}`), what));
  const type = station.includes("-re") ? station : "viewer-request";
  const button = (name, label, act, title) =>
    html`<button type="button" data-action=${name} title=${title ?? nothing} @click=${act}>${label}</button>`;
  return html`<div class="actions" role="group" aria-label="Actions">
    ${button("again", "Send again", () => attempt(context, () => sendAgain(exchange, context, {})), "Send again (r)")}
    ${button("edit", "Edit and send…", () => edit(exchange, context))}
    ${button("curl", "Copy as curl", as("curl", "The curl command"))}
    ${button("event", "Lambda event", as(`event?event_type=${type}`, `The ${type} event`), `Copy as a Lambda test event, ${type}`)}
    ${button("pytest", "pytest", as("pytest", "The test"), "Copy as a pytest test")}
    ${button("har", "HAR", () => saveHar([exchange], context), "Save as HAR")}
  </div>`;
}

/** The request as a form; what is sent is recorded as a request of its own. */
function edit(exchange, context) {
  const dialog = document.getElementById("dialog");
  const { request } = exchange;
  const url = `${exchange.path}${exchange.query ? `?${exchange.query}` : ""}`;
  const isText = request.body.encoding === "text";
  const send = (event) => {
    event.preventDefault();
    const fields = new FormData(event.target);
    const headers = fields.get("headers").split("\n").filter((line) => line.trim()).map((line) => {
      const at = line.indexOf(":");
      return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
    const edits = { method: fields.get("method"), url: fields.get("url"), headers };
    if (isText && fields.get("body") !== request.body.preview) edits.body = fields.get("body");
    dialog.close();
    attempt(context, () => sendAgain(exchange, context, edits));
  };
  render(
    html`<form class="edit" @submit=${send}>
      <h2 id="dialog-title">Edit and send</h2>
      <div class="pair">
        <label>Method<input name="method" required pattern="[A-Za-z]+" autocomplete="off" .value=${exchange.method} /></label>
        <label>URL<input name="url" required autocomplete="off" spellcheck="false" .value=${url} /></label>
      </div>
      <label>Headers, one a line<textarea name="headers" rows="9" spellcheck="false"
        .value=${request.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}></textarea></label>
      <label>Body<textarea name="body" rows="5" spellcheck="false" ?disabled=${!isText}
        .value=${isText ? request.body.preview : "(no text)"}></textarea></label>
      <div class="actions">
        <button type="button" @click=${() => dialog.close()}>Cancel</button>
        <button class="primary">Send</button>
      </div>
    </form>`,
    dialog,
  );
  dialog.showModal();
}
