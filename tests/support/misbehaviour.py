"""Everything that a function can do wrong, in each language, with what the viewer then gets.

A misbehaviour has the same name in all languages, and a row or a reason in each. Where the rules
do not say what AWS answers, a comment tells how the runtime that AWS publishes gets there.
"""

from dataclasses import dataclass
from textwrap import indent

Outcome = tuple[int, str]

INVALID = (502, "LambdaValidationError")
FAILED = (503, "LambdaExecutionError")
CFF_INVALID = (502, "FunctionValidationError")
CFF_FAILED = (503, "FunctionExecutionError")
PASSED = (200, "Miss")
GENERATED = (200, "LambdaGeneratedResponse")

MOST_PROCESSES = 60
"""What the tests set the limit to: AWS's 1,024 would be unkind to the machine (LR-192)."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the function does with ``request`` and what comes of it.

    What ``lasts`` would spoil the environment for other rows: it is ended afterwards.
    """

    name: str
    body: str
    expected: Outcome
    rules: tuple[str, ...] = ()
    lasts: bool = False


def _row(name: str, body: str, expected: Outcome, *rules: str, lasts: bool = False) -> Row:
    return Row(name, body, expected, rules, lasts)


PYTHON = [
    # What is returned
    _row("nothing", "pass", INVALID, "LE-RET-05"),
    _row("string", "return 'x'", INVALID, "LE-RET-05"),
    _row("number", "return 5", INVALID, "LE-RET-05"),
    _row("array", "return [request]", INVALID, "LE-RET-05"),
    _row("whole-event", "return event", INVALID, "LE-RET-06"),
    _row("cyclic", "request['me'] = request['us'] = request\nreturn request", FAILED, "LE-ERR-01"),
    _row("deep", "for _ in range(99_999): request = [request]\nreturn request", FAILED,
         "LE-ERR-01"),
    _row("bytes", "return b'\\xff\\xfe'", INVALID, "LE-RET-07"),
    # AWS's encoder takes byte strings inside for text in UTF-8.
    _row("bytes-inside", "request['headers']['x-a'] = [{'value': b'v'}]\nreturn request", PASSED,
         "LR-026"),
    _row("nan", "return {'status': float('nan')}", INVALID, "LE-RET-07"),
    _row("half-character", "return {'status': '200', 'body': '\\ud800'}", FAILED, "LE-ERR-01"),
    _row("huge", "return {'status': '200', 'body': 'x' * 7_000_000}", FAILED, "LE-ERR-01"),
    _row("over-40-kb", "return {'status': '200', 'body': 'x' * 50_000}", INVALID, "LE-GEN-09"),
    _row("status", "return {'status': '600'}", INVALID, "LE-GEN-03"),
    _row("line-break", "request['headers']['x-a'] = [{'value': 'a\\r\\nx-b: c'}]\nreturn request",
         INVALID, "LE-HDR-15"),
    _row("non-latin", "request['headers']['x-a'] = [{'value': '日本'}]\nreturn request", PASSED,
         "LE-HDR-23", "LE-URI-09"),
    _row("both", "return {**request, 'status': '200', 'headers': {}}", GENERATED, "LE-RET-02"),
    _row("odd-keys", "request[1] = request[None] = 2\nreturn request", PASSED, "LE-RET-11"),
    _row("set", "return {'status': {200}}", FAILED, "LE-ERR-01"),
    _row("date", "return {'status': datetime.datetime.now()}", FAILED, "LE-ERR-01"),
    _row("decimal", "request['price'] = decimal.Decimal('1.5')\nreturn request", PASSED, "LR-024"),
    _row("class", "@dataclasses.dataclass\nclass Result: status: str = '200'\nreturn Result()",
         FAILED, "LE-ERR-01"),
    _row("dictionary-of-its-own", "class Own(dict): pass\nreturn Own(request)", PASSED),
    _row("named-tuple", "return collections.namedtuple('R', request)(**request)", PASSED),
    _row("lies", "class Liar(dict):\n    def items(self): raise ValueError\nreturn Liar(request)",
         FAILED, "LE-ERR-01"),
    _row("promise", "async def later(): return request\nreturn later()", FAILED, "LR-010"),
    _row("generator", "def each(): yield request\nreturn each()", FAILED, "LE-ERR-01"),
    _row("async-generator", "async def each(): yield request\nreturn each()", FAILED, "LE-ERR-01"),
    # What is raised
    _row("throws", "raise ValueError('no')", FAILED, "LE-ERR-01", "LE-RET-10"),
    _row("throws-oddly", "class E(Exception):\n    def __str__(self): raise E\nraise E", FAILED,
         "LE-ERR-01"),
    _row("throws-no-error", "raise KeyboardInterrupt", FAILED, "LE-RET-10"),
    _row("recursion", "return handler(event, context)", FAILED, "LE-ERR-01"),
    _row("recursion-unlimited",
         "sys.setrecursionlimit(10**9)\ndef f(): return [f()]\nf()", FAILED, "LE-ERR-01"),
    _row("throws-elsewhere", "threading.Thread(target=lambda: 1 / 0).start()\nreturn request",
         PASSED),
    _row("warnings", "warnings.simplefilter('error')\nwarnings.warn('x')", FAILED, "LE-ERR-01"),
    # How the process ends
    _row("exit", "sys.exit(0)", FAILED, "LE-ERR-01", "LE-RET-10"),
    _row("exit-at-once", "os._exit(0)", FAILED, "LE-ERR-01", "LE-RET-10"),
    _row("exit-hook-hangs", "atexit.register(time.sleep, 60)\nsys.exit(0)", FAILED, "LE-ERR-04"),
    _row("exit-elsewhere", "threading.Thread(target=sys.exit).start()\nreturn request", PASSED),
    _row("exit-at-once-elsewhere",
         "threading.Thread(target=os._exit, args=(3,)).start()\ntime.sleep(60)", FAILED,
         "LE-ERR-01"),
    _row("kills-itself", "os.killpg(0, signal.SIGKILL)", FAILED, "LE-ERR-01"),
    _row("segfault", "import ctypes\nctypes.string_at(0)", FAILED, "LE-ERR-01"),
    _row("aborts", "os.abort()", FAILED, "LE-ERR-01"),
    _row("alarm", "signal.setitimer(signal.ITIMER_REAL, 0.01)\ntime.sleep(60)", FAILED,
         "LE-ERR-01"),
    # What takes too long
    _row("endless", "while True: pass", FAILED, "LE-ERR-04"),
    _row("sleeps", "time.sleep(60)", FAILED, "LE-ERR-04"),
    _row("regular-expression", "re.match('(a+)+$', 'a' * 60 + '!')", FAILED, "LE-ERR-04"),
    _row("signals", "every = set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}\n"
         "for each in every: signal.signal(each, signal.SIG_IGN)\n"
         "signal.pthread_sigmask(signal.SIG_BLOCK, every)\nwhile True: pass", FAILED, "LE-ERR-04"),
    _row("stops-itself", "os.kill(os.getpid(), signal.SIGSTOP)", FAILED, "LE-ERR-04"),
    # Output
    _row("output", "while True: print('x' * 1000)", FAILED, "LE-ERR-04"),
    _row("output-on-one-line", "while True: sys.stderr.write('x' * 1000)", FAILED, "LE-ERR-04"),
    _row("closed-stdout", "sys.stdout.close()\nos.close(1)\nreturn request", PASSED, lasts=True),
    _row("closed-stderr", "os.close(2)\nraise ValueError", FAILED, "LE-ERR-01", lasts=True),
    _row("broken-console", "sys.stdout = sys.stderr = None\nreturn request", PASSED, lasts=True),
    _row("unprintable", "print('\\ud800')", FAILED, "LE-ERR-01"),
    _row("reads-stdin", "sys.stdin.read()\nreturn request", PASSED),
    # Files and descriptors
    _row("garbage", "os.write(3, b'\\xff' * 9)\nreturn request", FAILED, "LE-ERR-01"),
    _row("closes-descriptors", "os.closerange(0, 1024)\nreturn request", FAILED, "LE-ERR-01"),
    _row("exhausts-descriptors", "while True: KEPT.append(os.open('/dev/null', 0))", FAILED,
         "LE-ERR-01", lasts=True),
    _row("folder-gone", "folder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)\n"
         "return request", PASSED, lasts=True),
    _row("large-file", "path = os.environ['TMPDIR'] + '/large'\n"
         "with open(path, 'wb') as file: file.write(bytes(20_000_000))\nreturn request", PASSED),
    _row("disk-full", "with open('/dev/full', 'w') as file: file.write('x')", FAILED, "LE-ERR-01"),
    # Memory
    _row("memory", "held = []\nwhile True: held.append(bytearray(b'x' * 1_000_000))", FAILED,
         "LE-ERR-01"),
    _row("memory-in-crumbs", "held = []\nwhile True: held = [held, object()]", FAILED,
         "LE-ERR-01"),
    _row("memory-at-once", "held = b'x' * 400_000_000\ntime.sleep(60)", FAILED, "LE-ERR-01"),
    _row("memory-impossible", "bytearray(10**15)", FAILED, "LE-ERR-01"),
    _row("memory-in-child", "hog = \"held = b'x' * 300_000_000; import time; time.sleep(60)\"\n"
         "subprocess.run([sys.executable, '-c', hog])", FAILED, "LE-ERR-01"),
    # Processes and threads
    _row("child", "subprocess.Popen(['sleep', '0.3'])\nreturn request", PASSED),
    _row("child-holds-channel",
         "os.set_inheritable(3, True)\nsubprocess.Popen(['sleep', '60'], close_fds=False)\n"
         "os._exit(0)", FAILED, "LE-ERR-01"),
    # What a child posts is refused by AWS, since its parent has answered already.
    _row("child-answers", "return request if os.fork() else {'status': '500'}", PASSED),
    _row("forks", "for _ in range(7): os.fork()\ntime.sleep(60)", FAILED, "LE-ERR-01"),
    _row("forks-away", "for _ in range(99):\n    if os.fork() == 0:\n        os.setsid()\n"
         "        time.sleep(60)\n        os._exit(0)\ntime.sleep(60)", FAILED, "LE-ERR-01"),
    _row("shell-forks", "subprocess.run(['sh', '-c', 'b() { [ $1 = 0 ] && exec sleep 60;"
         " b $(($1 - 1)) & b $(($1 - 1)) & wait; }; b 7'])", FAILED, "LE-ERR-01"),
    _row("threads", "for _ in range(99): threading.Thread(target=time.sleep, args=(60,)).start()\n"
         "time.sleep(60)", FAILED, "LE-ERR-01"),
    _row("thread-goes-on", "threading.Thread(target=spin, daemon=True).start()\nreturn request",
         PASSED, lasts=True),
    # The language itself
    _row("broken-json", "json.dumps = json.loads = json.JSONEncoder = None\nreturn request", PASSED,
         lasts=True),
    _row("broken-built-ins", "object.__eq__ = 1", FAILED, "LE-ERR-01"),
    _row("wrecks-itself", "for each in gc.get_objects():\n"
         "    if isinstance(each, dict): each.clear()\nreturn request", FAILED, "LE-ERR-01"),
    _row("no-collector", "gc.disable()\nreturn request", PASSED, lasts=True),
]  # fmt: skip

NODE = [
    # What is returned
    _row("nothing", "return;", INVALID, "LE-RET-05"),
    _row("string", "return 'x';", INVALID, "LE-RET-05"),
    _row("number", "return 5;", INVALID, "LE-RET-05"),
    _row("array", "return [request];", INVALID, "LE-RET-05"),
    _row("function", "return () => 1;", INVALID, "LE-RET-05"),
    _row("symbol", "return Symbol('x');", INVALID, "LE-RET-05"),
    _row("whole-event", "return event;", INVALID, "LE-RET-06"),
    _row("cyclic", "request.me = request; return request;", FAILED, "LE-ERR-01"),
    _row("deep", "for (let i = 0; i < 99999; i++) request = [request]; return request;", FAILED,
         "LE-ERR-01"),
    _row("bigint", "return {status: 200n};", FAILED, "LE-ERR-01"),
    _row("bytes", "return Buffer.from('x');", INVALID, "LE-RET-07"),
    _row("nan", "return {status: NaN};", INVALID, "LE-RET-07"),
    # Valid JSON, and nothing that a header could hold. What AWS says to it is not known.
    _row("half-character", "request.headers['x-a'] = [{value: '\\ud800'}]; return request;",
         INVALID),
    _row("huge", "return {status: '200', body: 'x'.repeat(7e6)};", FAILED, "LE-ERR-01"),
    _row("over-40-kb", "return {status: '200', body: 'x'.repeat(5e4)};", INVALID, "LE-GEN-09"),
    _row("status", "return {status: 'ok'};", INVALID, "LE-GEN-03"),
    _row("line-break", "request.headers['x-a'] = [{value: 'a\\nb'}]; return request;", INVALID,
         "LE-HDR-15"),
    _row("non-latin", "request.headers['x-a'] = [{value: '日本'}]; return request;", PASSED,
         "LE-HDR-23", "LE-URI-09"),
    _row("both", "return {...request, status: '200', headers: {}};", GENERATED, "LE-RET-02"),
    _row("odd-keys", "request[1] = 2; request[Symbol.iterator] = 3; return request;", PASSED,
         "LE-RET-11"),
    _row("set", "return new Set([request]);", INVALID, "LE-RET-07"),
    _row("date", "return new Date();", INVALID, "LE-RET-05"),
    _row("class", "class Own { constructor() { Object.assign(this, request); } } return new Own();",
         PASSED),
    _row("to-json", "request.toJSON = () => 'x'; return request;", INVALID, "LE-RET-05"),
    _row("to-json-throws", "request.toJSON = () => { throw new Error('no'); }; return request;",
         FAILED, "LE-ERR-01"),
    _row("lies", "Object.defineProperty(request, 'uri', {enumerable: true, get() { throw 1; }});"
         " return request;", FAILED, "LE-ERR-01"),
    _row("proxy", "return new Proxy(request, {});", PASSED),
    _row("proxy-revoked", "const p = Proxy.revocable(request, {}); p.revoke(); return p.proxy;",
         FAILED, "LE-ERR-01"),
    _row("promise", "return Promise.resolve(request);", PASSED, "LE-RET-04"),
    _row("promise-of-its-own", "class P extends Promise {} return P.resolve(request);", PASSED,
         "LR-061"),
    _row("thenable", "return {then: (done) => done(request)};", PASSED, "LR-061"),
    _row("generator", "return (function* () { yield request; })();", INVALID, "LE-RET-07"),
    _row("async-generator", "return (async function* () { yield request; })();", INVALID,
         "LE-RET-07"),
    # What is thrown
    _row("throws", "throw new Error('no');", FAILED, "LE-ERR-01", "LE-RET-10"),
    _row("throws-oddly", "throw {get message() { throw 1; }, toString: null};", FAILED,
         "LE-ERR-01"),
    _row("throws-no-error", "throw undefined;", FAILED, "LE-RET-10"),
    _row("rejects", "return Promise.reject(new Error('no'));", FAILED, "LE-RET-10"),
    _row("rejects-elsewhere", "Promise.reject(new Error('no')); return HANG;", FAILED,
         "LE-RET-10"),
    _row("throws-elsewhere", "setTimeout(() => { throw new Error('no'); }, 1); return HANG;",
         FAILED, "LE-RET-10"),
    _row("recursion", "const f = () => f(); f();", FAILED, "LE-ERR-01"),
    # Callbacks
    _row("never-settles", "return HANG;", INVALID, "LE-RET-05", "LR-062"),
    _row("callback-late", "setTimeout(callback, 20, null, request); return HANG;", PASSED,
         "LE-RET-04"),
    _row("callback-twice", "callback(null, request); callback(null, BAD); return HANG;", PASSED,
         "LE-RET-04"),
    _row("callback-error", "callback(new Error('no')); return HANG;", FAILED, "LE-RET-10"),
    _row("callback-error-then-result",
         "callback(new Error('no')); callback(null, request); return HANG;", FAILED, "LE-RET-10"),
    _row("callback-result-then-error",
         "callback(null, request); callback(new Error('no')); return HANG;", PASSED, "LE-RET-04"),
    _row("callback-and-result", "callback(null, request); return BAD;", PASSED, "LR-066"),
    _row("callback-after-answer", "setTimeout(callback, 20, null, BAD); return request;", PASSED,
         "LE-RET-04"),
    _row("callback-after-timeout", "setTimeout(callback, 5000, null, request); return HANG;",
         FAILED, "LE-ERR-04"),
    _row("context-succeed", "context.succeed(request); return HANG;", PASSED, "LR-066"),
    _row("context-done", "const { done } = context; done(null, request); return BAD;", PASSED,
         "LR-066"),
    _row("context-fail", "context.fail(); return request;", FAILED, "LR-066"),
    _row("context-both", "context.fail(new Error('no')); context.succeed(request); return HANG;",
         FAILED, "LR-066"),
    # How the process ends
    _row("exit", "process.exit(0);", FAILED, "LE-RET-10"),
    _row("exit-at-once", "process.reallyExit(0);", FAILED, "LE-RET-10"),
    _row("exit-hook-hangs", "process.on('exit', () => { for (;;); }); process.exit(0);", FAILED,
         "LE-ERR-04"),
    _row("kills-itself", "process.kill(process.pid, 'SIGKILL'); for (;;);", FAILED, "LE-ERR-01"),
    _row("segfault", "process.kill(process.pid, 'SIGSEGV'); for (;;);", FAILED, "LE-ERR-01"),
    _row("aborts", "process.abort();", FAILED, "LE-ERR-01"),
    # What takes too long
    _row("endless", "for (;;);", FAILED, "LE-ERR-04"),
    _row("endless-promises", "const f = () => Promise.resolve().then(f); return f();", FAILED,
         "LE-ERR-04"),
    _row("endless-turn", "setImmediate(() => { for (;;); }); return HANG;", FAILED, "LE-ERR-04"),
    _row("endless-timer", "setInterval(() => 0, 1); return HANG;", FAILED, "LE-ERR-04"),
    _row("regular-expression", "/(a+)+$/.test('a'.repeat(60) + '!');", FAILED, "LE-ERR-04"),
    _row("signals", "for (const each of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(each, () => 0);"
         " for (;;);", FAILED, "LE-ERR-04"),
    _row("stops-itself", "process.kill(process.pid, 'SIGSTOP'); for (;;);", FAILED, "LE-ERR-04"),
    # Output
    _row("output", "for (;;) console.log('x'.repeat(1000));", FAILED, "LE-ERR-04"),
    _row("output-on-one-line", "for (;;) fs.writeSync(2, 'x'.repeat(1000));", FAILED, "LE-ERR-04"),
    _row("closed-stdout", "fs.closeSync(1); console.log('x'); return request;", PASSED, lasts=True),
    _row("closed-stderr", "fs.closeSync(2); console.error('x'); return request;", PASSED,
         lasts=True),
    _row("broken-console", "console.log = console.error = null; throw new Error('no');", FAILED,
         "LE-ERR-01", lasts=True),
    # Files and descriptors
    _row("garbage", "fs.writeSync(3, Buffer.alloc(9, 255)); return request;", FAILED, "LE-ERR-01"),
    _row("closes-descriptors",
         "for (let i = 0; i < 99; i++) { try { fs.closeSync(i); } catch {} } return request;",
         FAILED, "LE-ERR-01"),
    _row("exhausts-descriptors", "for (;;) KEPT.push(fs.openSync('/dev/null'));", FAILED,
         "LE-ERR-01", lasts=True),
    _row("folder-gone", "const folder = fs.mkdtempSync(process.env.TMPDIR + '/x');"
         " process.chdir(folder); fs.rmdirSync(folder); return request;", PASSED, lasts=True),
    _row("large-file", "fs.writeFileSync(process.env.TMPDIR + '/large', Buffer.alloc(2e7));"
         " return request;", PASSED),
    _row("disk-full", "fs.writeFileSync('/dev/full', 'x');", FAILED, "LE-ERR-01"),
    # Memory
    _row("memory", "const held = []; for (;;) held.push(Buffer.alloc(1e6, 1));", FAILED,
         "LE-ERR-01"),
    _row("memory-in-crumbs", "let held = []; for (;;) held = [held, {}];", FAILED, "LE-ERR-01"),
    _row("memory-at-once", "Buffer.alloc(4e8, 1); return HANG;", FAILED, "LE-ERR-01"),
    _row("memory-impossible", "Buffer.alloc(2 ** 53 - 1);", FAILED, "LE-ERR-01"),
    _row("memory-in-child", "child.spawnSync(process.execPath,"
         " ['-e', 'const held = Buffer.alloc(3e8, 1); setTimeout(() => held, 60000)']);", FAILED,
         "LE-ERR-01"),
    # Processes and threads
    _row("child", "child.spawn('sleep', ['0.3']); return request;", PASSED),
    _row("child-holds-channel",
         "child.spawn('sleep', ['60'], {stdio: ['ignore', 1, 2, 3]}); process.exit(0);", FAILED,
         "LE-RET-10"),
    _row("forks", "for (let i = 0; i < 99; i++) child.spawn('sleep', ['60']); return HANG;", FAILED,
         "LE-ERR-01"),
    _row("forks-away", "for (let i = 0; i < 99; i++)"
         " child.spawn('sleep', ['60'], {detached: true, stdio: 'ignore'}).unref();"
         " setTimeout(() => 0, 60000); return HANG;", FAILED, "LE-ERR-01"),
    _row("shell-forks", "child.execSync('b() { [ $1 = 0 ] && exec sleep 60;"
         " b $(($1 - 1)) & b $(($1 - 1)) & wait; }; b 7');", FAILED, "LE-ERR-01"),
    _row("thread-goes-on", "new worker.Worker('for (;;);', {eval: true}); return request;", PASSED,
         lasts=True),
    _row("exit-elsewhere", "new worker.Worker('process.exit(3)', {eval: true}); return request;",
         PASSED),
    # The language itself
    _row("broken-json", "const real = JSON.stringify;"
         " JSON.stringify = () => { JSON.stringify = real; return '5'; }; return request;", INVALID,
         "LE-RET-05"),
    _row("broken-built-ins", "Object.prototype.status = '500'; Array.prototype.x = 1;"
         " return request;", PASSED, lasts=True),
    _row("broken-built-ins-badly", "Object.prototype.toJSON = function () {"
         " delete Object.prototype.toJSON; return 5; }; return request;", INVALID, "LE-RET-05"),
    _row("broken-errors", "Error.prepareStackTrace = () => { throw 1; }; throw new Error('no');",
         FAILED, "LE-ERR-01", lasts=True),
    _row("no-listeners", "process.removeAllListeners(); setTimeout(() => { throw 1; }, 1);"
         " return HANG;", FAILED, "LE-ERR-01"),
]  # fmt: skip

CLOUDFRONT = [
    # What is returned
    _row("nothing", "return;", CFF_INVALID, "CFF-RET-06"),
    _row("string", "return 'x';", CFF_INVALID, "CFF-RET-06"),
    _row("number", "return 5;", CFF_INVALID, "CFF-RET-06"),
    _row("array", "return [request];", CFF_INVALID, "CFF-RET-06"),
    _row("function", "return function () {};", CFF_INVALID, "CFF-RET-06"),
    _row("symbol", "return Symbol('x');", CFF_INVALID, "CFF-RET-06"),
    _row("whole-event", "return event;", CFF_INVALID, "CFF-RET-04"),
    _row("cyclic", "request.me = request; return request;", CFF_INVALID, "CFF-ERR-02"),
    _row("deep", "for (var i = 0; i < 99999; i++) { request = [request]; } return request;",
         CFF_FAILED, "CFF-LIM-02"),
    _row("bytes", "return Buffer.from('x');", CFF_INVALID, "CFF-ERR-02"),
    _row("nan", "return {statusCode: NaN};", CFF_INVALID, "CFF-ERR-02"),
    _row("half-character", "request.headers['x-a'] = {value: '\\ud800'}; return request;",
         CFF_INVALID),
    _row("huge", "return {statusCode: 200, body: 'x'.repeat(7e6)};", CFF_FAILED, "CFF-LIM-02"),
    _row("status", "return {statusCode: 600};", CFF_INVALID, "CFF-RES-02"),
    _row("line-break", "request.headers['x-a'] = {value: 'a\\r\\nb'}; return request;",
         CFF_INVALID, "CFF-ERR-02"),
    _row("non-latin", "request.headers['x-a'] = {value: '日本'}; return request;", PASSED,
         "CFF-EVT-21"),
    _row("both", "return Object.assign(request, {statusCode: 200, headers: {}, cookies: {}});",
         (200, "FunctionGeneratedResponse"), "CFF-RET-05"),
    _row("odd-keys", "request[1] = 2; request[Symbol.iterator] = 3; return request;", PASSED),
    _row("date", "return new Date();", CFF_INVALID, "CFF-RET-06"),
    _row("to-json", "request.toJSON = function () { return 'x'; }; return request;", CFF_INVALID,
         "CFF-RET-06"),
    _row("lies", "Object.defineProperty(request, 'uri',"
         " {enumerable: true, get: function () { throw 1; }}); return request;", CFF_INVALID,
         "CFF-ERR-02"),
    _row("promise", "return Promise.resolve(request);", PASSED),
    _row("thenable", "return {then: function (done) { done(request); }};", CFF_INVALID,
         "CFF-ERR-02"),
    # What is thrown
    _row("throws", "throw new Error('no');", CFF_FAILED, "CFF-ERR-01"),
    _row("throws-oddly", "throw {get message() { throw 1; }, toString: null};", CFF_FAILED,
         "CFF-ERR-01"),
    _row("throws-no-error", "throw undefined;", CFF_FAILED, "CFF-ERR-01"),
    _row("rejects", "return Promise.reject(new Error('no'));", CFF_FAILED, "CFF-ERR-01"),
    _row("rejects-elsewhere", "Promise.reject(new Error('no')); return request;", PASSED),
    _row("never-settles", "return new Promise(function () {});", CFF_FAILED, "CFF-ERR-01"),
    _row("recursion", "return handler(event);", CFF_FAILED, "CFF-ERR-01"),
    # What takes too long
    _row("endless", "while (true) {}", CFF_FAILED, "CFF-ERR-01", "CFF-LIM-03"),
    _row("endless-promises", "function f() { return Promise.resolve().then(f); } return f();",
         CFF_FAILED, "CFF-ERR-01"),
    _row("endless-built-in", "new Array(4e9).join('x'); return request;", CFF_FAILED, "CFF-LIM-03"),
    _row("endless-comparison", "var a = []; a[4e9] = 1; a.sort(); return request;", CFF_FAILED,
         "CFF-LIM-03"),
    _row("regular-expression", "/(a+)+$/.test('a'.repeat(60) + '!'); return request;", CFF_FAILED,
         "CFF-LIM-03"),
    # Output and memory
    _row("output", "for (var i = 0; i < 99; i++) { console.log('x'.repeat(999)); } return request;",
         PASSED, "CFF-LIM-05"),
    _row("memory", "var a = ['x']; while (true) { a = a.concat(a); }", CFF_FAILED, "CFF-LIM-02"),
    _row("memory-in-crumbs", "var a = []; while (true) { a = [a, {}]; }", CFF_FAILED, "CFF-LIM-02"),
    _row("memory-at-once", "'x'.repeat(1e8); return request;", CFF_FAILED, "CFF-LIM-02"),
    _row("memory-impossible", "new Array(1e9).fill(0); return request;", CFF_FAILED, "CFF-LIM-02"),
    # The language itself
    _row("broken-json", "try { JSON.stringify = JSON.parse = null; } catch (e) {} return request;",
         PASSED, "CFF-RT-07"),
    _row("broken-built-ins", "try { Object.prototype.uri = 1; } catch (e) {} return request;",
         PASSED, "CFF-RT-07"),
    _row("exit", "process.exit(0);", CFF_FAILED, "CFF-ERR-01"),
    _row("proxy", "return new Proxy(request, {});", CFF_FAILED, "CFF-ERR-01"),
    _row("child", "require('child_process').spawn('sleep', ['60']);", CFF_FAILED, "CFF-ERR-01"),
    _row("large-file", "require('fs').writeFileSync('/tmp/x', 'x');", CFF_FAILED, "CFF-ERR-01"),
]  # fmt: skip

TABLES = {"python": PYTHON, "node": NODE, "cff": CLOUDFRONT}

CANNOT = {
    "python": {
        "results are values: there is no other JSON than that of the encoder": (
            "function symbol bigint to-json to-json-throws proxy proxy-revoked"
        ),
        "a promise would be a coroutine, which is not awaited": (
            "rejects rejects-elsewhere promise-of-its-own thenable never-settles endless-promises"
        ),
        "a handler has no callback, and its context ends nothing": (
            "callback-late callback-twice callback-error callback-error-then-result"
            " callback-result-then-error callback-and-result callback-after-answer"
            " callback-after-timeout context-succeed context-done context-fail context-both"
        ),
        "there is no event loop": "endless-turn endless-timer no-listeners",
        "built-in types cannot be changed": "broken-built-ins-badly broken-errors",
        "built-in operations are within the function's time like others": (
            "endless-built-in endless-comparison"
        ),
    },
    "node": {
        "text and bytes do not mix in a result": "bytes-inside",
        "the language has no such type": "decimal dictionary-of-its-own named-tuple",
        "the stack's limit is an option of the command line": "recursion-unlimited",
        "the language has no such thing": "warnings wrecks-itself no-collector",
        "nothing sleeps but a timer, and nothing interrupts but it": "sleeps alarm",
        "what cannot be encoded is replaced": "unprintable",
        "standard input is read like any file": "reads-stdin",
        "a thread cannot end the process": "exit-at-once-elsewhere",
        "a process cannot fork": "child-answers",
        "threads are those of the table's thread-goes-on": "threads",
        "the garbage collector and timeouts reach built-in operations": (
            "endless-built-in endless-comparison"
        ),
    },
    "cff": {
        "the language has no such type or syntax": (
            "bigint bytes-inside over-40-kb set decimal class dictionary-of-its-own named-tuple"
            " promise-of-its-own generator async-generator to-json-throws proxy-revoked warnings"
            " recursion-unlimited no-collector wrecks-itself broken-built-ins-badly broken-errors"
        ),
        "a handler has no callback and no context": (
            "callback-late callback-twice callback-error callback-error-then-result"
            " callback-result-then-error callback-and-result callback-after-answer"
            " callback-after-timeout context-succeed context-done context-fail context-both"
        ),
        "there are no timers and no event loop": (
            "sleeps throws-elsewhere endless-turn endless-timer no-listeners alarm"
        ),
        "there is no process that could end": (
            "exit-at-once exit-hook-hangs exit-elsewhere exit-at-once-elsewhere kills-itself"
            " segfault aborts signals stops-itself"
        ),
        "there are no streams": (
            "output-on-one-line closed-stdout closed-stderr broken-console unprintable reads-stdin"
        ),
        "there are no files": (
            "garbage closes-descriptors exhausts-descriptors folder-gone disk-full"
        ),
        "there are no processes and no threads": (
            "memory-in-child child-holds-channel child-answers forks forks-away shell-forks"
            " threads thread-goes-on"
        ),
    },
}
"""Reasons why a language has no row of a name."""

UNUSABLE = {
    "python-syntax": ("def handler(event, context:\n", "app.handler"),
    "python-no-handler": ("def other(event, context): ...\n", "app.handler"),
    "python-no-module": ("def handler(event, context): ...\n", "nothing.handler"),
    "python-no-dot": ("def handler(event, context): ...\n", "handler"),
    "python-import": ("import no_module_of_that_name\n", "app.handler"),
    "python-not-callable": ("handler = 5\n", "app.handler"),
    "python-throws": ("1 / 0\n", "app.handler"),
    "python-exits": ("import os\nos._exit(3)\n", "app.handler"),
    "python-hangs": ("import time\ntime.sleep(60)\n", "app.handler"),
    "python-floods": ("while True: print('x' * 1000)\n", "app.handler"),
    "python-hogs": ("held = b'x' * 300_000_000\nwhile True: pass\n", "app.handler"),
    "node-syntax": ("exports.handler = (", "app.handler"),
    "node-no-handler": ("exports.other = () => 1;\n", "app.handler"),
    "node-no-module": ("exports.handler = () => 1;\n", "nothing.handler"),
    "node-import": ("require('no-module-of-that-name');\n", "app.handler"),
    "node-not-callable": ("exports.handler = 5;\n", "app.handler"),
    "node-throws": ("throw new Error('no');\n", "app.handler"),
    "node-rejects": ("Promise.reject(new Error('no'));\n", "app.handler"),
    "node-exits": ("process.exit(0);\n", "app.handler"),
    "node-hangs": ("for (;;);\n", "app.handler"),
    "node-floods": ("for (;;) console.log('x'.repeat(1000));\n", "app.handler"),
    "cff-syntax": ("function handler(event {\n", ""),
    "cff-no-handler": ("function other(event) { return event.request; }\n", ""),
    "cff-not-callable": ("var handler = 5;\n", ""),
    "cff-throws": ("throw new Error('no');\nfunction handler(event) {}\n", ""),
    "cff-hangs": ("while (true) {}\nfunction handler(event) {}\n", ""),
}
"""Functions that cannot start: the whole source, the handler."""


def python_source() -> str:
    lines = [
        "import atexit, collections, dataclasses, datetime, decimal, gc, json, os, re, signal",
        "import subprocess, sys, tempfile, threading, time, warnings",
        "KEPT = []",
        "def spin():",
        "    while True: pass",
        "def handler(event, context):",
        "    request = event['Records'][0]['cf']['request']",
    ]
    bodies = [(row.name, row.body) for row in PYTHON]
    for name, body in [*bodies, ("reset", "os._exit(0)"), ("good", "return request")]:
        lines += [f"    if request['uri'].endswith('/{name}'):", indent(body, " " * 8)]
    return "\n".join(lines)


def node_source() -> str:
    bodies = [(row.name, row.body) for row in NODE]
    cases = "\n".join(
        f"  '{name}': async (request, callback, context, event) => {{ {body} }},"
        for name, body in [*bodies, ("reset", "process.exit(0);"), ("good", "return request;")]
    )
    return f"""
const child = require('child_process');
const fs = require('fs');
const worker = require('worker_threads');
const HANG = new Promise(() => {{}});
const KEPT = [];
const BAD = {{ status: '500' }};
const cases = {{
{cases}
}};
exports.handler = (event, context, callback) => {{
  const request = event.Records[0].cf.request;
  return cases[request.uri.split('/').pop()](request, callback, context, event);
}};
"""


def cloudfront_source() -> str:
    bodies = [(row.name, row.body) for row in CLOUDFRONT]
    cases = "\n".join(
        f"  if (request.uri.endsWith('/{name}')) {{ {body} }}"
        for name, body in [*bodies, ("good", "return request;")]
    )
    return f"function handler(event) {{\n  var request = event.request;\n{cases}\n}}\n"
