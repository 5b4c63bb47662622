/* In the syntax of old releases, so that an old Node gets as far as the message. */
'use strict'
var version = process.versions.node.split('.')
var recent = Number(version[0]) > 22 || (Number(version[0]) === 22 && Number(version[1]) >= 15)
var fetching = process.argv.indexOf('wal-fetch') > 1
if (!recent) {
  process.stderr.write(
    'waltz: Node.js 22.15 or newer is needed, ' +
      process.execPath +
      ' is ' +
      process.versions.node +
      ': put a newer one on the PATH, or its path into WALTZ_NODE\n',
  )
  process.exit(fetching ? 200 : 2)
} else {
  import('./bin.js').catch(function (error) {
    process.stderr.write('waltz: could not start: ' + (error && error.stack ? error.stack : error) + '\n')
    process.exit(fetching ? 200 : 70)
  })
}
