/* In the syntax of old releases, so that an old Node gets as far as the message. */
'use strict'
var version = process.versions.node.split('.')
var recent = Number(version[0]) > 22 || (Number(version[0]) === 22 && Number(version[1]) >= 15)
var fetching = process.argv.indexOf('wal-fetch') > 1

function fail(code, text) {
  process.stderr.write('waltz: ' + text + '\n')
  process.exit(fetching ? 200 : code)
}

if (!recent) {
  fail(
    2,
    'Node.js 22.15 or newer is needed, ' +
      process.execPath +
      ' is ' +
      process.versions.node +
      ': put a newer one on the PATH, or its path into WALTZ_NODE',
  )
} else {
  // The script above takes 1 for a Node that could not start; 201 tells it that 1 is meant.
  if (fetching) {
    process.on('exit', function (code) {
      if (code === 1) process.exitCode = 201
    })
  }
  try {
    require('./bin.js')
  } catch (error) {
    fail(
      70,
      'this installation is incomplete or damaged: copy the whole folder again\n' + (error && error.stack ? error.stack : error),
    )
  }
}
