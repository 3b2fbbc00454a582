interface Request {
  uri: string;
}

function check(request: Request): string {
  if (request.uri === '/broken') {
    throw new Error('no such page');
  }
  return request.uri;
}

function handler(event: { request: Request }): Request {
  event.request.uri = check(event.request);
  return event.request;
}
