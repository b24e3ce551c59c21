// Shows the OpenAPI document of the server that the page comes from. SwaggerUIBundle is a global of the vendor's script.
SwaggerUIBundle({
  dom_id: '#swagger-ui',
  url: 'openapi.json',
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
})
