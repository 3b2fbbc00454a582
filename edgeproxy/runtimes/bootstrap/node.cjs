// The Node.js side of an execution environment: loads the function, then answers events.
//
// Runs alone inside the worker process and needs nothing but Node.js. The control channel is file
// descriptor 3; stdout and stderr belong to the function. Between two invocations the process
// waits in a blocking read, so timers and sockets of the function stand still until the next one
// (LR-188). What a handler may do follows the declared runtime, not the Node.js that runs it.
'use strict';

const fs = require('fs');
const { documentOf, isError, runtimeError, stackLines, withProperties } = require('./node-errors.cjs');
const { load } = require('./node-handler.cjs');
const { asJson, lineOf, replaceConsole } = require('./node-logs.cjs');
const { STREAMING, offerGlobal, responseStream, runStreaming } = require('./node-streaming.cjs');

const CHANNEL = 3;
const LARGEST_RESULT = 6291556;
const debugged = process.execArgv.some((argument) => argument.startsWith('--inspect'));
const modern = Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV)[1]) >= 24;

let requestId;
let clockOffsetMs = 0;
let initialised = false;
let ended = false;
let whenLoopIsEmpty;

// Control channel

const inbox = Buffer.allocUnsafe(65536);

function read(buffer, offset) {
  for (;;) {
    try {
      const count = fs.readSync(CHANNEL, buffer, offset, buffer.length - offset, null);
      if (count === 0) process.reallyExit(0);
      return count;
    } catch (error) {
      if (error.code === 'ECONNRESET') process.reallyExit(0);
      if (error.code !== 'EINTR' && error.code !== 'EAGAIN') throw error;
    }
  }
}

function receive(size = read(inbox, 0)) {
  let buffer = inbox;
  while (size < 8) size += read(buffer, size);
  const end = 4 + buffer.readUInt32BE(0);
  if (end > buffer.length) {
    buffer = Buffer.allocUnsafe(end);
    inbox.copy(buffer, 0, 0, size);
  }
  while (size < end) size += read(buffer, size);
  const metaEnd = 8 + buffer.readUInt32BE(4);
  return { meta: buffer.toString('utf8', 8, metaEnd), payload: buffer.toString('utf8', metaEnd, end) };
}

function writeAll(fd, data) {
  for (let offset = 0; offset < data.length; ) {
    try {
      offset += fs.writeSync(fd, data, offset);
    } catch (error) {
      if (error.code === 'EPIPE' && fd === CHANNEL) process.reallyExit(0);
      if (error.code !== 'EINTR' && error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function send(kind, body) {
  let content = typeof body === 'string' ? Buffer.from(body) : body;
  if (content.length > LARGEST_RESULT) {
    kind = 'L';
    content = Buffer.from(String(content.length));
  }
  writeAll(CHANNEL, frameOf(kind, content));
}

function frameOf(kind, content) {
  const frame = Buffer.allocUnsafe(5 + content.length);
  frame.writeUInt32BE(content.length + 1, 0);
  frame.write(kind, 4, 'latin1');
  content.copy(frame, 5);
  return frame;
}

// Frames of a stream are written beside the event loop, which turns while the reader is slow.
let inFlight = false;
let afterFlight;

function transmit(frames, then) {
  if (ended) return;
  inFlight = true;
  writeBeside(Buffer.concat(frames.map(([kind, content]) => frameOf(kind, content))), () => {
    inFlight = false;
    (afterFlight ?? then)();
  });
}

function writeBeside(data, then) {
  fs.write(CHANNEL, data, 0, data.length, null, (error, count) => {
    if (error && error.code !== 'EINTR' && error.code !== 'EAGAIN') process.reallyExit(0);
    const rest = data.subarray(count ?? 0);
    if (rest.length > 0) writeBeside(rest, then);
    else then();
  });
}

function whenChannelIsFree(then) {
  if (!inFlight) {
    then();
    return;
  }
  afterFlight = () => {
    afterFlight = undefined;
    then();
  };
}

// Output of the function

const written = new Set();
for (const name of ['stdout', 'stderr']) {
  // Opening these streams takes time and makes the pipe non-blocking: note who did.
  const { get } = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get() {
      const stream = get.call(process);
      written.add(stream);
      return stream;
    },
  });
}

function afterOutput(then) {
  const pending = [...written].filter((stream) => stream.writableLength > 0 && !stream.destroyed);
  if (pending.length === 0) {
    then();
    return;
  }
  let left = pending.length;
  for (const stream of pending) {
    stream.write('', () => {
      left -= 1;
      if (left === 0) then();
    });
  }
}

replaceConsole((level, parameters) => {
  const time = new Date(Date.now() + clockOffsetMs).toISOString();
  const line = lineOf(time, requestId, level, parameters);
  try {
    writeAll(1, Buffer.from(`${line}\n`));
  } catch {
    // The function closed its stdout: there is nowhere to write to.
  }
});

// Errors

function logError(label, error) {
  if (asJson) {
    console.error(isError(error) ? error : new Error(error));
    return;
  }
  let text;
  try {
    text = JSON.stringify(isError(error) ? error : new Error(error), withProperties);
  } catch {
    text = JSON.stringify(documentOf(error));
  }
  console.error(label, `\t${text}`);
}

function fail(label, error, exitCode) {
  if (ended) return;
  ended = true;
  logError(label, error);
  afterOutput(() => {
    whenChannelIsFree(() => {
      send(initialised ? 'X' : 'I', JSON.stringify(documentOf(error)));
      process.reallyExit(exitCode);
    });
  });
}

process.on('uncaughtException', (error) => {
  fail(modern && !initialised ? 'Init Error' : 'Uncaught Exception', error, 129);
});
process.on('unhandledRejection', (reason, promise) => {
  const error = runtimeError('Runtime.UnhandledPromiseRejection', String(reason));
  if (isError(reason)) error.stack = [error.stack, ...stackLines(reason).slice(1)].join('\n');
  fail('Unhandled Promise Rejection', Object.assign(error, { reason, promise }), 128);
});
process.on('beforeExit', () => {
  const act = whenLoopIsEmpty;
  whenLoopIsEmpty = undefined;
  act?.();
});

// One invocation

function contextOf(meta) {
  const environment = {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
  const request = {
    clientContext: meta.clientContext,
    identity: undefined,
    invokedFunctionArn: meta.arn,
    awsRequestId: meta.requestId,
    tenantId: meta.tenantId || undefined,
  };
  const getRemainingTimeInMillis = () => meta.deadlineMs - Date.now();
  if (!modern) return { ...environment, ...request, getRemainingTimeInMillis };
  const { functionName, functionVersion, ...rest } = environment;
  const xRayTraceId = meta.traceId || undefined;
  return { ...request, xRayTraceId, getRemainingTimeInMillis, functionName, functionVersion, ...rest };
}

function parseMeta(text) {
  const [id, deadlineMs, offsetS, arn, traceId, tenantId, ...rest] = text.split('\n');
  const client = rest.join('\n');
  requestId = id;
  clockOffsetMs = Number(offsetS) * 1000;
  if (traceId) process.env._X_AMZN_TRACE_ID = traceId;
  else delete process.env._X_AMZN_TRACE_ID;
  let clientContext;
  try {
    clientContext = client ? JSON.parse(client) : undefined;
  } catch (error) {
    throw new Error(`Cannot parse ClientContext as json: ${error.message}`);
  }
  return { requestId: id, deadlineMs: Number(deadlineMs), arn, traceId, tenantId, clientContext };
}

function stringify(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? 'null';
  } catch {
    throw runtimeError(
      modern ? 'Runtime.JSONStringifyError' : 'Error',
      'Unable to stringify response body',
    );
  }
}

function run(handler, { meta: text, payload }) {
  let answered = false;
  const answer = (kind, body) => {
    if (answered || ended) return;
    answered = true;
    whenLoopIsEmpty = undefined;
    afterOutput(() => {
      whenChannelIsFree(() => {
        send(kind, body);
        setImmediate(next, handler);
      });
    });
  };
  const reject = (error) => {
    if (answered || ended) return;
    logError('Invoke Error', error);
    answer('E', JSON.stringify(documentOf(error)));
  };
  const resolve = (value) => {
    if (answered || ended) return;
    let body;
    try {
      body = stringify(value);
    } catch (error) {
      reject(error);
      return;
    }
    answer('R', body);
  };

  try {
    const meta = parseMeta(text);
    const event = JSON.parse(payload);
    if (handler[STREAMING] !== undefined) {
      runWithStream(handler, event, meta, answer);
    } else if (modern) {
      // LR-070 leaves the text open.
      whenLoopIsEmpty = () => {
        reject(runtimeError('Runtime.HandlerNeverSettled', 'The handler ended without a result'));
      };
      Promise.resolve(handler(event, contextOf(meta))).then(resolve, reject);
    } else {
      whenLoopIsEmpty = () => resolve(null);
      runWithCallback(handler, event, meta, resolve, reject);
    }
  } catch (error) {
    reject(error);
  }
}

function runWithStream(handler, event, meta, answer) {
  const { stream, fail: failStream } = responseStream(handler, transmit);
  runStreaming(handler, event, stream, contextOf(meta)).then(
    () => answer('R', ''),
    (error) => {
      if (ended) return;
      logError('Invoke Error', error);
      // A response that is complete stays one.
      const complete = stream.writableFinished || (stream.writableEnded && !stream.destroyed);
      if (complete) stream.end(() => answer('R', ''));
      else failStream(() => answer('E', JSON.stringify(documentOf(error))));
    },
  );
}

function runWithCallback(handler, event, meta, resolve, reject) {
  let completed = false;
  let waits = true;
  const once = (act) => {
    if (completed) return;
    completed = true;
    act();
  };
  const done = (error, value) => {
    once(() => (error === undefined || error === null ? resolve(value) : reject(error)));
  };
  const callback = (error, value) => {
    if (!waits || (error !== undefined && error !== null)) done(error, value);
    else once(() => (whenLoopIsEmpty = () => resolve(value)));
  };
  const context = {
    get callbackWaitsForEmptyEventLoop() {
      return waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waits = value;
    },
    succeed: (value) => done(null, value),
    fail: (error) => done(error ?? 'handled'),
    done,
  };
  let result;
  try {
    result = handler(event, Object.assign(context, contextOf(meta)), callback);
  } catch (error) {
    callback(error); // not the first answer, if the handler called back before it threw
    return;
  }
  if (typeof result?.then === 'function') result.then(context.succeed, context.fail);
}

function next(handler) {
  if (ended) return;
  if (!debugged) {
    run(handler, receive());
    return;
  }
  // An editor that attaches between two events is answered only while the event loop turns.
  fs.read(CHANNEL, inbox, 0, inbox.length, null, (error, size) => {
    if (error || size === 0) process.reallyExit(0);
    run(handler, receive(size));
  });
}

process.argv.splice(2);
offerGlobal();
load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, modern).then(
  (handler) => {
    initialised = true;
    send('A', process.version);
    setImmediate(next, handler);
  },
  (error) => fail(modern ? 'Init Error' : 'Uncaught Exception', error, 1),
);
