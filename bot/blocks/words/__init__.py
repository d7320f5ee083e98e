"""What people see: every label, heading and sentence of messages, modals and App Home.

Here to be changed or translated, a module for each file of looks, and `common` for what several of them say. Unless it
says otherwise, a parameter is mrkdwn in which what people typed is escaped, and so is the result; the labels of
buttons, menus, inputs, headers and dialogs are plain text.
"""
