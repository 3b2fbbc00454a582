// Starts the suite's own origin on a free port of 127.0.0.1; by itself it would take all addresses.
// node serve.mjs <folder of the engine>
import net from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function () { return listen.call(this, 0, '127.0.0.1') }
// The first line says where it listens; all else is for the log.
const say = console.log
console.log = line => {
  say(line)
  console.log = console.error
}
await import(pathToFileURL(join(process.argv[2], 'server', 'server.mjs')))
