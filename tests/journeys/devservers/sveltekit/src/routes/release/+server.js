import { release } from "../../reviews.js";

export async function POST({ request }) {
  release(await request.text());
  return new Response(null, { status: 204 });
}
