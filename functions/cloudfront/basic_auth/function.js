// Asks for a name and a password. Only a digest of "name:password" stands in the code: make yours
// with  printf '%s' 'guest:letmein' | sha256sum
const crypto = require('crypto');

const ALLOWED = ['34cb0a6b54042361025f417c599c4908d54194a77ec6ee068675cbed723c6a91'];

function handler(event) {
    const request = event.request;
    const given = request.headers.authorization ? request.headers.authorization.value : '';
    if (given.startsWith('Basic ')) {
        const pair = Buffer.from(given.slice(6), 'base64').toString();
        if (ALLOWED.includes(crypto.createHash('sha256').update(pair).digest('hex'))) {
            // The origin and the cache have no use for the password.
            delete request.headers.authorization;
            return request;
        }
    }
    return {
        statusCode: 401,
        statusDescription: 'Unauthorized',
        headers: { 'www-authenticate': { value: 'Basic realm="Preview", charset="UTF-8"' } },
    };
}
