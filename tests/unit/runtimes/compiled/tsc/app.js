"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.handler = void 0;
const prices_1 = require("./prices");
const handler = async (event) => {
    try {
        return (0, prices_1.total)(event.items);
    }
    catch (error) {
        if (!event.quiet)
            throw error;
        console.error('refused', error);
        return -1;
    }
};
exports.handler = handler;
//# sourceMappingURL=app.js.map