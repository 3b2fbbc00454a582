// A handler in middy's middlewares, as people put it behind a load balancer or a function URL.
import middy from '@middy/core';
import cors from '@middy/http-cors';
import errorHandler from '@middy/http-error-handler';
import headerNormalizer from '@middy/http-header-normalizer';
import jsonBodyParser from '@middy/http-json-body-parser';
import responseSerializer from '@middy/http-response-serializer';
import createError from 'http-errors';

async function answer(event, context) {
  const path = event.rawPath ?? event.path;
  if (path === '/teapot') throw createError(418, 'short and stout');
  if (path === '/broken') throw new Error('no such thing');
  const client = event.headers['x-client'];
  return { statusCode: 201, body: { got: event.body, client, id: context.awsRequestId } };
}

export const handler = middy({ timeoutEarlyInMillis: 100 })
  .use(headerNormalizer())
  .use(jsonBodyParser())
  .use(cors({ origin: 'https://shop.example' }))
  .use(
    responseSerializer({
      serializers: [
        { regex: /^application\/json$/, serializer: ({ body }) => JSON.stringify(body) },
      ],
      defaultContentType: 'application/json',
    }),
  )
  .use(errorHandler({ fallbackMessage: 'something went wrong', logger: false }))
  .handler(answer);
