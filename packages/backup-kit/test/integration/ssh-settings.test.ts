import { missingForSshd, sharedServer } from '@waltz/testkit'
import { describe, it } from 'vitest'
import { sshProofs } from '../proofs/ssh.ts'

const { title, missing } = await sharedServer('sshd')
const { sshPassword, ...proofs } = sshProofs
const missingForPasswords = missingForSshd({ password: true })

describe('settings of SSH', () => {
  describe.skipIf(missing !== undefined)(`on ${title}`, () => {
    it.each(Object.entries(proofs))('%s', async (_key, proof) => {
      await proof()
    })

    it.skipIf(missingForPasswords.length > 0)(`sshPassword${missingForPasswords.map((name) => `, without ${name}`).join('')}`, async () => {
      await sshPassword()
    })
  })
})
