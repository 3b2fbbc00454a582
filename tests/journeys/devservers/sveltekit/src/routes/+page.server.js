import { reviews } from "../reviews.js";

/** The lamp is known at once; what people say of it comes later, in the same answer. */
export function load() {
  return { lamp: "A lamp", reviews: reviews() };
}
