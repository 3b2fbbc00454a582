import { realpathSync } from "node:fs";
import { defineConfig } from "vite";

/** What dev servers have besides: events that are pushed, and answers that are waited for. */
function live() {
  const listeners = new Set();
  const waiting = new Set();
  return {
    name: "live",
    configureServer(server) {
      server.middlewares.use("/events", (request, response) => {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        response.write("data: open\n\n");
        listeners.add(response);
        response.on("close", () => listeners.delete(response));
      });
      server.middlewares.use("/poll", (request, response) => {
        waiting.add(response);
        response.on("close", () => waiting.delete(response));
      });
      server.middlewares.use("/say", (request, response) => {
        const text = request.url.slice(1);
        for (const listener of listeners) listener.write(`data: ${text}\n\n`);
        for (const one of waiting) one.end(text);
        response.end();
      });
      server.middlewares.use("/count", (request, response) => {
        response.end(JSON.stringify([listeners.size, waiting.size]));
      });
    },
  };
}

export default defineConfig({
  plugins: [live()],
  cacheDir: ".vite",
  server: { fs: { allow: [".", realpathSync("node_modules")] } },
});
