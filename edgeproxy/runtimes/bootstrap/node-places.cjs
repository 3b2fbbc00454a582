// Where in the user's files a module failed to load, when Node.js's own stack does not say so.
'use strict';

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const MOST_FILES = 50;

// The first file that does not parse, of an ES module and what it imports by relative path: the
// stack of such an error names no file.
function unparsable(entry) {
  const files = new Set([entry]);
  for (const file of files) {
    const check = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
    const [, line, source] = /:(\d+)\r?\n(.*)/.exec(check.stderr ?? '') ?? [];
    if (check.status && line) return `${file}:${line}: ${source.trim()}`;
    const imports = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g;
    for (const [, name] of fs.readFileSync(file, 'utf8').matchAll(imports)) {
      const imported = path.resolve(path.dirname(file), name);
      if (files.size < MOST_FILES && /\.[cm]?js$/.test(name) && fs.existsSync(imported)) {
        files.add(imported);
      }
    }
  }
  return undefined;
}

// The line that imports what an ES module cannot find: the message names the file alone.
function importing(message) {
  const [, name, file] = /^Cannot find \w+ '(.+)' imported from (.+)$/.exec(message) ?? [];
  if (!file) return undefined;
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const index = lines.findIndex((line) => /import|from/.test(line) && line.includes(path.basename(name)));
  return index < 0 ? undefined : `${file}:${index + 1}: ${lines[index].trim()}`;
}

function tellPlace(error, entry) {
  let place;
  try {
    if (error.code === 'ERR_MODULE_NOT_FOUND') place = importing(error.message);
    else if (error instanceof SyntaxError && !/^\S+:\d+$/m.test(error.stack)) place = unparsable(entry);
    if (place) fs.writeSync(2, `edgeproxy: ${place}\n`);
  } catch {
    // A file cannot be read, or stderr is closed: AWS's own message must do.
  }
}

module.exports = { tellPlace };
