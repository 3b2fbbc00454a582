interface Shop {
  name: string;
}

const shop: Shop = { name: "the shop" };

export const greeting: string = `Welcome to ${shop.name}`;
