// Streamed responses (LR-140 to LR-148): the global `awslambda`, and the stream that handlers get.
'use strict';

const { runtimeError } = require('./node-errors.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const WITH_METADATA = 'application/vnd.awslambda.http-integration-response';
const PIECE = 65536;

function offerGlobal() {
  if (['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') {
        handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      }
      return handler;
    },
    HttpResponseStream: class HttpResponseStream {
      static from(stream, metadata) {
        stream.setContentType(WITH_METADATA);
        const prelude = JSON.stringify(metadata);
        stream._onBeforeFirstWrite = (write) => {
          write(prelude);
          write(Buffer.alloc(8));
        };
        return stream;
      }
    },
  };
}

// The stream of one invocation. `transmit(frames, then)` sends frames, each a kind and a body, and
// calls `then` when they are out: the stream is full while whoever reads is slow. `fail(then)` waits
// for what was written before the handler failed.
function responseStream(handler, transmit) {
  const { Writable } = require('stream');
  let contentType = 'application/octet-stream';
  let touched = false;
  let announced = false;
  let failed = false;
  const announcement = () => {
    if (announced) return [];
    announced = true;
    return [['S', Buffer.from(contentType)]];
  };
  const stream = new Writable({
    highWaterMark: handler[HIGH_WATER_MARK],
    write(chunk, _encoding, done) {
      const sendFrom = (offset) => {
        const piece = chunk.subarray(offset, offset + PIECE);
        const next = offset + PIECE < chunk.length ? () => sendFrom(offset + PIECE) : () => done();
        transmit([...announcement(), ['C', piece]], next);
      };
      sendFrom(0);
    },
    final(done) {
      if (failed) done();
      else transmit([...announcement(), ['Z', Buffer.alloc(0)]], () => done());
    },
  });
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...more) => {
    const isData = typeof chunk === 'string' || chunk instanceof Uint8Array;
    if (!touched) {
      touched = true;
      stream._onBeforeFirstWrite?.((prelude) => write(prelude));
    }
    return write(isData ? chunk : JSON.stringify(chunk), ...more);
  };
  stream.setContentType = (value) => {
    if (touched) {
      throw runtimeError('Runtime.InvalidStreamingOperation', 'Cannot set content-type, too late.');
    }
    contentType = value;
  };
  stream.on('error', () => {}); // who writes too late does not end the process
  const fail = (then) => {
    failed = true;
    if (stream.destroyed) then();
    else stream.end(() => then());
  };
  return { stream, fail };
}

// Runs a handler until both it and its stream have ended, for which it may wait for ever (LR-148).
async function runStreaming(handler, event, stream, context) {
  const closed = new Promise((resolve, reject) => {
    stream.once('close', resolve);
    stream.once('error', reject);
  });
  closed.catch(() => {}); // told when the handler has ended
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const running = handler(event, stream, context);
    if (typeof running?.then !== 'function') {
      throw new Error('Streaming does not support non-async handlers.');
    }
    if ((await running) !== undefined) console.warn('Streaming handlers ignore return values.');
    await closed;
    if (!stream.writableFinished) throw new Error('Response stream is not finished.');
  } finally {
    clearInterval(alive);
  }
}

module.exports = { STREAMING, offerGlobal, responseStream, runStreaming };
