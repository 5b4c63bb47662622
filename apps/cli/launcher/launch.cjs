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
    })
  }
  try {
    // Both are the whole program; one has what the WAL commands need in one file, which is found faster.
    require(ofWal ? './wal.cjs' : './bin.js')
  } catch (error) {
    var text = error && error.stack ? error.stack : error
    fail(70, 'this installation is incomplete or damaged: copy the whole folder again\n' + text)
  }
}
