import { realpathSync } from "node:fs";
import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [sveltekit()],
  cacheDir: ".vite",
  server: { fs: { allow: [".", realpathSync("node_modules")] } },
});
