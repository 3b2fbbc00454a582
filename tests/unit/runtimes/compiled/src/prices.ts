export interface Item {
  name: string;
  cents: number | null;
}

export function total(items: Item[]): number {
  let sum = 0;
  for (const item of items) {
    if (item.cents === null) {
      throw new RangeError(`${item.name} has no price`);
    }
    sum += item.cents;
  }
  return sum;
}
