import type { FastifyInstance } from 'fastify'
import {
  contentPage,
  contentPageQuery,
  contentPath,
  newContent,
  readContentOrder,
  shownContent,
} from '../schemas/contents.js'
import type { ContentAdministration } from '../src/entitlement/catalogue/stored-contents.js'
import { JSON_TYPE, sendJson } from '../src/http/answers.js'
import { created, json } from '../src/http/operation.js'
import type { ZodTypes } from '../src/http/validation.js'
import { administrative } from './administrative.js'

const sample = { parameters: { contentID: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' } }

const NEW_CONTENT = {
  keys: [{ kid: 'b366360da82e9c6e0b0984002a362cf2', contentKey: '00112233445566778899aabbccddeeff' }],
  policy: {
    rightsType: 'BuyToOwn',
    analogVideoOPL: 0,
    compressedDigitalAudioOPL: 0,
    compressedDigitalVideoOPL: 0,
    uncompressedDigitalAudioOPL: 0,
    uncompressedDigitalVideoOPL: 0,
  },
  duration: 3600,
  viewers: 'everyone',
}

/** The contents of the entitlement service's catalogue, below the admin API, whose guard and errors hold for them. */
export function contentRoutes(app: FastifyInstance, contents: ContentAdministration): void {
  const api = app.withTypeProvider<ZodTypes>()

  api.get(
    '/contents',
    {
      schema: {
        ...administrative('listContents', 'Contents, in the order of their ids, without their keys.'),
        querystring: contentPageQuery,
        answers: { 200: json('The contents.', contentPage) },
      },
    },
    async ({ query }, reply) => sendJson(reply, await contents.list(query)),
  )

  api.get(
    '/contents/:contentID',
    {
      schema: {
        ...administrative('showContent', 'One content, without its keys.'),
        params: contentPath,
        sample,
        answers: { 200: json('The content.', shownContent) },
      },
    },
    async ({ params }, reply) => sendJson(reply, await contents.show(params.contentID)),
  )

  api.put(
    '/contents/:contentID',
    {
      schema: {
        ...administrative('putContent', 'A new content, or another in place of the one that is there.'),
        params: contentPath,
        // The path says the id already, so the body is read with it.
        reads: { body: { required: true, content: { [JSON_TYPE]: { schema: newContent } } } },
        sample: { ...sample, body: NEW_CONTENT },
        answers: {
          200: json('It was there, and is now as it was put.', shownContent),
          201: created('It is new.', shownContent),
        },
      },
    },
    async ({ params: { contentID }, body }, reply) => {
      const { isNew, content } = await contents.put(readContentOrder(contentID, body))
      if (isNew) reply.code(201).header('location', `${app.prefix}/contents/${contentID}`)
      return sendJson(reply, content)
    },
  )

  api.delete(
    '/contents/:contentID',
    {
      schema: {
        ...administrative('removeContent', 'Remove a content.'),
        params: contentPath,
        sample,
        answers: { 204: { description: 'It is not there any more.' } },
      },
    },
    async ({ params }, reply) => {
      await contents.remove(params.contentID)
      return reply.code(204).send()
    },
  )
}
