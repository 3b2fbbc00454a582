// The control listener's JSON API.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(method, path, body, signal) {
  const init = { method, signal, headers: {} };
  if (method !== "GET") {
    // State is changed by JSON alone; a form of another site cannot send that.
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body ?? {});
  }
  const response = await fetch(path, init);
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  if (!response.ok) {
    const { code, message } = (isJson && (await response.json()).error) || {};
    throw new ApiError(response.status, code ?? "", message || `${method} ${path}: ${response.status}`);
  }
  return isJson ? response.json() : response.text();
}

export const get = (path, signal) => call("GET", path, undefined, signal);
export const post = (path, body) => call("POST", path, body);
export const del = (path, body) => call("DELETE", path, body);

/** A part of a path or a value of a query. */
export const part = encodeURIComponent;
