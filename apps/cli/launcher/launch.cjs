/* In the syntax of old releases, so that an old Node gets as far as the message. */
'use strict'
var version = process.versions.node.split('.')
var recent = Number(version[0]) > 22 || (Number(version[0]) === 22 && Number(version[1]) >= 15)
var fetching = process.argv.indexOf('wal-fetch') > 1
var ofWal = fetching || process.argv.indexOf('wal-push') > 1

function fail(code, text) {
  process.stderr.write('waltz: ' + text + '\n')
  process.exit(fetching ? 200 : code)
}

if (!recent) {
  var found = process.execPath + ' is ' + process.versions.node
  fail(2, 'Node.js 22.15 or newer is needed, ' + found + ': put a newer one on the PATH, or its path into WALTZ_NODE')
} else {
  // Until the program knows better; a file that is cut short may do nothing at all.
  process.exitCode = fetching ? 200 : 70
  if (ofWal) {
    // The script that started this takes 0 and 1 for a Node that did not get this far.
    process.on('exit', function (code) {
      if (code === 0) process.exitCode = 202
      if (code === 1) process.exitCode = 201
      // And 9 for a Node that does not know one of its flags.
      if (code === 9) process.exitCode = 70
    })
  }
  try {
    // Both are the whole program; one has what the WAL commands need in one file, which is found faster.
    if (ofWal) runWal()
    // oxlint-disable-next-line import/no-unassigned-import
    else require('./bin.js')
  } catch (error) {
    var text = error && error.stack ? error.stack : error
    fail(70, 'this installation is incomplete or damaged: copy the whole folder again\n' + text)
  }
}

/** What the WAL commands start with: `wal.cjs`, together with the code that V8 made of it when the folder was built. */
function runWal() {
  // Who has Node preload something wants to see files loaded in the usual way.
  if (process.env.NODE_OPTIONS) return require('./wal.cjs')
  var fs = require('fs')
  var vm = require('vm')
  var text = fs.readFileSync(__dirname + '/wal.cjs')
  var script = new vm.Script('(function (exports, require, module, __filename, __dirname) {' + text.toString('latin1') + '\n})', {
    filename: __dirname + '/wal.cjs',
    cachedData: codeOf(fs, text),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  script.runInThisContext().call({}, {}, require, { exports: {} }, __dirname + '/wal.cjs', __dirname)
}

/**
 * The code in `wal.cache`, which holds it twice and then the text that it was made of; undefined where that is missing, of another
 * text or damaged. V8 looks for itself whether the code is of its version and flags, and compiles the text otherwise, but it does
 * not look for damage.
 */
function codeOf(fs, text) {
  var cache
  try {
    cache = fs.readFileSync(__dirname + '/wal.cache')
    // oxlint-disable-next-line no-unused-vars -- old releases want a name here
  } catch (_) {
    return undefined
  }
  var half = (cache.length - text.length) / 2
  if (!(half > 0) || half % 1 !== 0) return undefined
  if (cache.compare(cache, half, 2 * half, 0, half) !== 0 || cache.compare(text, 0, text.length, 2 * half) !== 0) return undefined
  return cache.subarray(0, half)
}
