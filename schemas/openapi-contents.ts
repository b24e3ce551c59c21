import { contentEntry } from './catalogue.js'
import { contentPage, contentPageQuery, contentPath, shownContent } from './contents.js'
import { jsonSchema } from './json-schema.js'
import { answer, body, created, operation, parameters, refusals } from './openapi-admin-operation.js'

type Json = Record<string, unknown>

export const contentSchemas = {
  Content: jsonSchema(shownContent),
  ContentPage: jsonSchema(contentPage),
  NewContent: newContent(),
} satisfies Record<string, Json>

/** The contents in the admin API (docs/contents.md). */
export const contentPaths: Json = {
  '/admin/api/contents': {
    get: {
      ...operation('listContents', 'Contents, in the order of their ids, without their keys.'),
      parameters: parameters('query', contentPageQuery),
      responses: { 200: answer('The contents.', 'ContentPage'), ...refusals(400) },
    },
  },
  '/admin/api/contents/{contentID}': {
    parameters: parameters('path', contentPath),
    get: {
      ...operation('showContent', 'One content, without its keys.'),
      responses: { 200: answer('The content.', 'Content'), ...refusals(400) },
    },
    put: {
      ...operation('putContent', 'A new content, or all of it anew.'),
      requestBody: body('NewContent'),
      responses: {
        200: answer('It was there, and is as it was put now.', 'Content'),
        201: created('It is new.', 'Content'),
        ...refusals(400),
      },
    },
    delete: {
      ...operation('removeContent', 'Remove a content.'),
      responses: { 204: { description: 'It is not there any more.' }, ...refusals(400) },
    },
  },
}

/** The path says the id already. */
function newContent(): Json {
  const { required, ...schema } = jsonSchema(contentEntry)
  const names = Array.isArray(required) ? required : []
  return { ...schema, required: names.filter(name => name !== 'contentID') }
}
