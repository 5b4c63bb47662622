import { gzipSync } from 'node:zlib'

const PARTITION_POWER = 4

/**
 * A ring of Swift with one device and one replica (swift/common/ring/ring.py, version 1 of the file): gzip of `R1NG`, version and
 * length, a description as JSON, and for each of the 16 partitions the device that holds it. Written here because Swift's own
 * program takes four seconds for each of three rings.
 */
export function encodeSwiftRing(port: number, device: string): Uint8Array {
  const address = { ip: '127.0.0.1', port, replication_ip: '127.0.0.1', replication_port: port }
  const description = JSON.stringify({
    byteorder: 'little',
    devs: [{ id: 0, region: 1, zone: 1, weight: 1, device, meta: '', ...address }],
    part_shift: 32 - PARTITION_POWER,
    replica_count: 1,
    version: 1,
  })
  const head = Buffer.alloc(10)
  head.write('R1NG', 'latin1')
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(description.length, 6)
  return gzipSync(Buffer.concat([head, Buffer.from(description, 'latin1'), Buffer.alloc(2 * 2 ** PARTITION_POWER)]))
}
