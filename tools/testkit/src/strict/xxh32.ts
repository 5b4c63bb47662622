const P1 = 0x9e37_79b1
const P2 = 0x85eb_ca77
const P3 = 0xc2b2_ae3d
const P4 = 0x27d4_eb2f
const P5 = 0x1656_67b1

const rotl = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/** xxHash of 32 bits with seed 0, fed piece by piece. */
export function createXxh32(): { update(bytes: Uint8Array): void; digest(): number } {
  const lanes = new Int32Array([P1 + P2, P2, 0, -P1])
  let pending: Uint8Array = new Uint8Array(0)
  let total = 0
  const consume = (bytes: Uint8Array): Uint8Array => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const whole = bytes.length - (bytes.length % 16)
    let [a = 0, b = 0, c = 0, d = 0] = lanes
    for (let at = 0; at < whole; at += 16) {
      a = Math.imul(rotl((a + Math.imul(view.getInt32(at, true), P2)) | 0, 13), P1)
      b = Math.imul(rotl((b + Math.imul(view.getInt32(at + 4, true), P2)) | 0, 13), P1)
      c = Math.imul(rotl((c + Math.imul(view.getInt32(at + 8, true), P2)) | 0, 13), P1)
      d = Math.imul(rotl((d + Math.imul(view.getInt32(at + 12, true), P2)) | 0, 13), P1)
    }
    lanes.set([a, b, c, d])
    return bytes.slice(whole)
  }
  return {
    update: (bytes) => {
      total += bytes.length
      pending = consume(pending.length === 0 ? bytes : Buffer.concat([pending, bytes]))
    },
    digest: () => {
      const [a = 0, b = 0, c = 0, d = 0] = lanes
      let hash = total >= 16 ? (rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18)) | 0 : P5
      hash = (hash + total) | 0
      const view = new DataView(pending.buffer, pending.byteOffset, pending.byteLength)
      let at = 0
      for (; at + 4 <= pending.length; at += 4) hash = Math.imul(rotl((hash + Math.imul(view.getInt32(at, true), P3)) | 0, 17), P4)
      for (; at < pending.length; at += 1) hash = Math.imul(rotl((hash + Math.imul(pending[at] ?? 0, P5)) | 0, 11), P1)
      hash = Math.imul(hash ^ (hash >>> 15), P2)
      hash = Math.imul(hash ^ (hash >>> 13), P3)
      return (hash ^ (hash >>> 16)) >>> 0
    },
  }
}
