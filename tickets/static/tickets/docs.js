"use strict";

// No validator badge: it would send the schema's address to a server elsewhere.
SwaggerUIBundle({
  url: document.getElementById("docs").dataset.schema,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
