// Sends visitors of the start page to the best of their languages that the site has.
const SITE = ['en', 'de', 'fr'];

function preferred(header) {
    const wishes = header.split(',').map(part => {
        const pieces = part.trim().split(';q=');
        return { language: pieces[0].slice(0, 2).toLowerCase(), weight: pieces.length > 1 ? Number(pieces[1]) : 1 };
    });
    wishes.sort((a, b) => b.weight - a.weight);
    const found = wishes.find(wish => wish.weight > 0 && SITE.includes(wish.language));
    return found ? found.language : SITE[0];
}

function handler(event) {
    const request = event.request;
    if (request.uri !== '/') {
        return request;
    }
    const header = request.headers['accept-language'];
    return {
        statusCode: 302,
        statusDescription: 'Found',
        headers: {
            location: { value: `/${preferred(header ? header.value : '')}/` },
            vary: { value: 'Accept-Language' },
            'cache-control': { value: 'no-store' },
        },
    };
}
