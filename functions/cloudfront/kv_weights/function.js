// Assigns a variant by weights that are kept in a key-value store, so that they change without a
// deployment. The value of "weights" is JSON: {"a": 90, "b": 10}.
import cf from 'cloudfront';

const kvs = cf.kvs();
const NAME = 'variant';

async function draw() {
    const weights = await kvs.get('weights', { format: 'json' });
    const names = Object.keys(weights);
    let ball = Math.random() * names.reduce((sum, name) => sum + weights[name], 0);
    const drawn = names.find(name => {
        ball -= weights[name];
        return ball < 0;
    });
    return drawn || names[0];
}

async function handler(event) {
    const request = event.request;
    if (!request.cookies[NAME]) {
        try {
            const variant = await draw();
            request.cookies[NAME] = { value: variant };
        } catch (error) {
            // No weights, no experiment: everybody sees what there was before.
            console.log(`no variant: ${error}`);
        }
    }
    return request;
}
