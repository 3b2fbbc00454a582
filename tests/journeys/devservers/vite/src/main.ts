import { html, render } from "lit-html";
import { greeting } from "./greeting.ts";
import "./style.css";

function show(text: string): void {
  render(html`<h1>${text}</h1>`, document.querySelector("main")!);
}

show(greeting);
import.meta.hot?.accept("./greeting.ts", (changed) => show(changed!.greeting));
