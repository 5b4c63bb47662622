import { deflateRawSync, deflateSync } from 'node:zlib'
import { concatBytes, sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { cipherOf, keyText, literal, packet, seal, type Sealing } from './openpgp-support.ts'
import { collect, expectSame, faultOf, inChunks, noise } from './support.ts'

const ecc = await cipherOf('ecc.sec.asc')
const plain = noise(50_000)
const reads = async (stored: Uint8Array, wanted: Uint8Array = plain): Promise<void> => {
  for (const chunks of [[stored.length], [1, 700], [4096]]) expectSame(await collect(ecc.decrypt(inChunks(stored, chunks))), wanted)
}
const compressed = (algorithm: number, body: Uint8Array): Uint8Array => packet(8, concatBytes([Uint8Array.of(algorithm), body]))
const ones = (count: number): number[] => Array.from({ length: count }, () => 0)

describe('framings of messages', () => {
  it.each<[string, Sealing]>([
    ['aes128', { cipher: 'aes128' }],
    ['aes192', { cipher: 'aes192' }],
    ['aes256', { cipher: 'aes256' }],
    ['an anonymous recipient', { wildcard: true }],
    ['parts of one byte and of all other lengths', { framing: { parts: [...ones(300), 1, 2, 3, 9, 5, 13, 12, ...ones(50)] } }],
    ['one part and an empty last one', { framing: { parts: [15, 14] } }],
  ])('reads %s', async (_, sealing) => reads(await seal(literal(plain), sealing)))

  it.each([
    ['an old format with one octet of length', literal(plain.subarray(0, 200), { oldFormat: 0 }), 200],
    ['an old format with two octets', literal(plain, { oldFormat: 1 }), 50_000],
    ['an old format with four octets', literal(plain, { oldFormat: 2 }), 50_000],
    ['a literal packet of no stated length', literal(plain, { oldFormat: 3 }), 50_000],
    ['parts of one byte', literal(plain, { parts: [...ones(400), 10, ...ones(9)] }), 50_000],
    ['the format octet t', literal(plain, {}, 't'), 50_000],
    ['the format octet u and a name', literal(plain, {}, 'u', 'a name of some length'), 50_000],
    [
      'markers and padding around it',
      concatBytes([packet(10, Buffer.from('PGP')), packet(21, noise(40)), literal(plain), packet(21, noise(9))]),
      50_000,
    ],
    ['a packet that need not be known', concatBytes([packet(60, noise(40)), literal(plain)]), 50_000],
    ['no content', literal(new Uint8Array(0)), 0],
  ])('reads %s', async (_, packets, length) => reads(await seal(packets), plain.subarray(0, length)))

  it('takes carriage returns and line feeds as they are, whatever the format octet says', async () => {
    const text = Buffer.from('a\r\nb\nc\rd\r\r\n')
    for (const format of ['t', 'u', 'b', 'l', '1', 'm']) await reads(await seal(literal(text, {}, format)), text)
  })

  it('reads compressed packets, also within one another', async () => {
    const inside = literal(plain)
    await reads(await seal(compressed(0, inside)))
    await reads(await seal(compressed(1, deflateRawSync(inside))))
    await reads(await seal(compressed(2, deflateSync(inside))))
    await reads(await seal(compressed(1, deflateRawSync(compressed(2, deflateSync(inside))))))
    await reads(await seal(packet(8, concatBytes([Uint8Array.of(1), deflateRawSync(inside)]), { oldFormat: 3 })))
  })

  it('stops at compression without end, and holds little of a bomb', async () => {
    let bytes: Uint8Array = literal(plain)
    for (let depth = 0; depth < 8; depth += 1) bytes = compressed(2, deflateSync(bytes))
    expect((await faultOf(ecc.decrypt(sourceOf(await seal(bytes)))))?.code).toBe('CRYPTO_FORMAT_UNSUPPORTED')
    let length = 0
    for await (const chunk of ecc.decrypt(sourceOf(await seal(compressed(2, deflateSync(literal(new Uint8Array(100_000_000)))))))) {
      length += chunk.length
      expect(chunk.length).toBeLessThanOrEqual(262_144)
    }
    expect(length).toBe(100_000_000)
  })

  it('reads signed messages without looking at the signature', async () => {
    const { createMessage, encrypt, readKey, readPrivateKey, sign, generateKey, enums } = await import('openpgp')
    const stranger = (await generateKey({ userIDs: [{ name: 'x' }], format: 'object' })).privateKey
    const message = await createMessage({ binary: plain })
    const encryptionKeys = await readKey({ armoredKey: keyText('ecc.pub.asc') })
    await reads(await encrypt({ message, encryptionKeys, signingKeys: stranger, format: 'binary' }))
    const config = { preferredCompressionAlgorithm: enums.compression.zlib }
    await reads(
      await encrypt({
        message,
        encryptionKeys,
        signingKeys: await readPrivateKey({ armoredKey: keyText('rsa.sec.asc') }),
        format: 'binary',
        config,
      }),
    )
    const signature = await sign({ message, signingKeys: stranger, detached: true, format: 'binary' })
    await reads(await seal(concatBytes([signature as Uint8Array, literal(plain)])))
  })

  it.each(['eax', 'ocb', 'gcm'] as const)('reads AEAD packets of version 2, mode %s', async (aeadAlgorithm) => {
    const { createMessage, encrypt, enums, readKey } = await import('openpgp')
    const config = { aeadProtect: true, preferredAEADAlgorithm: enums.aead[aeadAlgorithm] }
    const data = noise(32, 3)
    const stored = await encrypt({
      message: await createMessage({ binary: plain }),
      encryptionKeys: await readKey({ armoredKey: keyText('ecc.pub.asc') }),
      sessionKey: { data, algorithm: 'aes256', aeadAlgorithm },
      format: 'binary',
      config,
    })
    expect(stored.subarray(94).includes(0xd2)).toBe(true)
    await reads(stored)
    const damaged = Uint8Array.from(stored)
    damaged[damaged.length - 100] = (damaged.at(-100) ?? 0) ^ 4
    expect(await faultOf(ecc.decrypt(sourceOf(damaged)))).toMatchObject({ kind: 'corrupt', code: 'CRYPTO_DAMAGED' })
    expect(await faultOf(ecc.decrypt(sourceOf(stored, noise(3))))).toMatchObject({ kind: 'corrupt' })
    expect(await faultOf(ecc.decrypt(sourceOf(stored.subarray(0, -50))))).toMatchObject({ kind: 'corrupt' })
  })

  it.each([
    ['eax', 1],
    ['ocb', 2],
  ] as const)('reads AEAD packets of the older kind, mode %s', async (_, mode) => {
    const openpgp = await import('openpgp')
    const data = noise(32, 3)
    const encryptionKeys = await openpgp.readKey({ armoredKey: keyText('ecc.pub.asc') })
    const sessions = await openpgp.encryptSessionKey({ data, algorithm: 'aes256', encryptionKeys, format: 'binary' })
    const aead = new openpgp.AEADEncryptedDataPacket() as unknown as {
      aeadAlgorithm: number
      packets: unknown
      encrypt(algorithm: number, key: Uint8Array, config: object): Promise<void>
      write(): { readToEnd(join: typeof concatBytes): Promise<Uint8Array> }
    }
    aead.aeadAlgorithm = mode
    aead.packets = (await openpgp.createMessage({ binary: plain })).packets
    await aead.encrypt(9, data, { ...openpgp.config, aeadChunkSizeByte: 6 })
    const body = await aead.write().readToEnd(concatBytes)
    await reads(concatBytes([sessions, packet(20, body)]))
    const huge = Uint8Array.from(body)
    huge[3] = 30
    expect(await faultOf(ecc.decrypt(sourceOf(concatBytes([sessions, packet(20, huge)]))))).toMatchObject({
      code: 'CRYPTO_FORMAT_UNSUPPORTED',
    })
  })
})

describe('what is refused', () => {
  const sessionsOf = async (): Promise<Uint8Array> => (await seal(literal(plain))).subarray(0, 96)
  it.each([
    ['data without protection', async () => concatBytes([await sessionsOf(), packet(9, noise(500))]), 'unsupported', /no protection/],
    ['an armoured message', async () => Buffer.from('-----BEGIN PGP MESSAGE-----\n\nwV4DXxyz\n'), 'unsupported', /armoured/],
    [
      'a message for a password',
      async () => concatBytes([packet(3, Uint8Array.of(4, 9, 0, 8)), packet(18, noise(500))]),
      'unsupported',
      /password/,
    ],
    ['a message that is not encrypted', async () => literal(plain), 'unsupported', /not encrypted/],
    ['a message encrypted twice', async () => seal(await seal(literal(plain))), 'unsupported', /twice/],
    [
      'data of version 7',
      async () => concatBytes([await sessionsOf(), packet(18, concatBytes([Uint8Array.of(7), noise(500)]))]),
      'unsupported',
      /version 7/,
    ],
    ['nothing', async () => new Uint8Array(0), 'corrupt', /ends at byte 0/],
    ['noise', async () => Uint8Array.of(0x12, 0x34, 0x56, 0x78), 'corrupt', /no OpenPGP packet/],
    ['session keys alone', sessionsOf, 'corrupt', /ends at byte 96/],
    ['a head without end', async () => packet(1, noise(300_000)), 'corrupt', /too long/],
    ['a session key in parts', async () => packet(1, noise(5000), { parts: [9] }), 'corrupt', /must state its length/],
    ['bytes behind the end', async () => concatBytes([await seal(literal(plain)), Uint8Array.of(0)]), 'corrupt', /more bytes follow/],
    ['a second message', async () => concatBytes([await seal(literal(plain)), await seal(literal(plain))]), 'corrupt', /more bytes follow/],
    ['two contents', async () => seal(concatBytes([literal(plain), literal(plain)])), 'corrupt', /two contents/],
    ['no content', async () => seal(packet(10, Buffer.from('PGP'))), 'corrupt', /no content/],
    [
      'content that goes on after its end',
      async () => seal(concatBytes([literal(plain), Uint8Array.of(1, 2, 3)])),
      'corrupt',
      /not made of packets/,
    ],
    ['content that ends within a packet', async () => seal(literal(plain).subarray(0, -1)), 'corrupt', /within a packet/],
    ['a key among the content', async () => seal(concatBytes([literal(plain), packet(6, noise(30))])), 'corrupt', /does not belong/],
    [
      'a cut compressed packet',
      async () => seal(compressed(2, deflateSync(literal(plain)).subarray(0, 20_000))),
      'corrupt',
      /not well-formed/,
    ],
    ['an unknown compression', async () => seal(compressed(9, literal(plain))), 'corrupt', /compression 9/],
  ] as const)('%s', async (_, make, kind, message) => {
    for (const engine of ['own'] as const) {
      const cipher = await cipherOf('ecc.sec.asc', { engine })
      const fault = await faultOf(cipher.decrypt(inChunks(await make(), [333])))
      expect([fault?.kind, fault?.message]).toEqual([kind, expect.stringMatching(message)])
    }
  })

  it('says the same of tampered content, whatever it looks like', async () => {
    for (const packets of [
      literal(plain),
      concatBytes([literal(plain), literal(plain)]),
      compressed(2, noise(300)),
      compressed(9, noise(300)),
      noise(400),
    ]) {
      const stored = await seal(packets)
      stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1
      const fault = await faultOf(ecc.decrypt(sourceOf(stored)))
      expect([fault?.code, fault?.message]).toEqual(['CRYPTO_DAMAGED', expect.stringContaining('the check at its end does not match')])
    }
  })
})
