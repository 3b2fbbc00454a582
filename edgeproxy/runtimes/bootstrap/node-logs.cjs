// Lines of the console as AWS's Node.js runtimes write them, as text or as JSON (LR-262, LR-285).
'use strict';

const util = require('util');
const { isError, stackLines, withoutOurFrames } = require('./node-errors.cjs');

const format = (...parameters) => withoutOurFrames(util.format(...parameters));

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const asJson = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const lowest = asJson ? Math.max(LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL), 0) : 0;

function errorFields(error) {
  const errorType = String(error.name).startsWith('Runtime.')
    ? error.name
    : (error.constructor?.name ?? 'UnknownError');
  return { errorType, errorMessage: error.message, stackTrace: stackLines(error) };
}

function withErrors(_key, value) {
  return isError(value) ? { ...errorFields(value), ...value } : value;
}

function jsonLine(head, parameters) {
  if (parameters.length === 1) {
    const [message] = parameters;
    try {
      return JSON.stringify({ ...head, message }, withErrors);
    } catch {
      return JSON.stringify({ ...head, message: format(message) });
    }
  }
  const error = parameters.find(isError);
  const fields = error === undefined ? {} : errorFields(error);
  return JSON.stringify({ ...head, message: format(...parameters), ...fields });
}

// One line without its end. What is written within it must not look like another one.
function lineOf(timestamp, requestId, level, parameters) {
  if (asJson) return jsonLine({ timestamp, level, requestId }, parameters);
  const text = format(...parameters).replace(/\n/g, '\r');
  return `${timestamp}\t${requestId}\t${level}\t${text}`;
}

// Replaces the methods of the console; those below the function's level do nothing (LR-286).
function replaceConsole(write) {
  LEVELS.forEach((level, rank) => {
    const log = (first, ...more) => write(level, [first, ...more]);
    console[level.toLowerCase()] = rank < lowest ? () => {} : log;
  });
  console.log = console.info;
}

module.exports = { asJson, lineOf, replaceConsole };
