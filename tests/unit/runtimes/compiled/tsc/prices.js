"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.total = total;
function total(items) {
    let sum = 0;
    for (const item of items) {
        if (item.cents === null) {
            throw new RangeError(`${item.name} has no price`);
        }
        sum += item.cents;
    }
    return sum;
}
//# sourceMappingURL=prices.js.map